"""The request that runs: what its outputs belong to, also those of the threads and tasks it starts.

A task has it with its context, which asyncio copies. A thread gets it from the one that starts it,
and a pool's thread keeps that of the first. What has none belongs to the request that runs: C's
threads, and what subprocesses write.
"""

from __future__ import annotations

import _thread
import contextvars
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from minikernel.interpreter.base import REQUEST
from minikernel.wire.message import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import Value
    from minikernel.wire.peer import Peer

STARTERS = (  # those of them that this Python has
    (_thread, "start_new_thread"),
    (_thread, "start_joinable_thread"),
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
)


class Text:
    """What a request has written to a stream, until it is published; two are never joined.

    Appending to `parts` is atomic, and `size` may err when threads race, which only moves the point
    where the text is published.
    """

    __slots__ = ("descriptor", "flushed", "label", "limit", "parent", "parts", "size")

    def __init__(self, label: str, descriptor: int, parent: bytes) -> None:
        self.label = label
        self.descriptor = descriptor
        self.parent = parent  # header of the request
        self.parts: list[str] = []
        self.size = 0  # characters in parts
        self.flushed = 0  # the first parts, which wait only for what is flushed next
        self.limit = -1  # size from which `Streams` wants to know; -1 if nothing is pending

    def take(self, count: int | None = None) -> str:
        """Hand over what is pending, or so many parts of it; the caller holds the lock.

        The list stays the same one, because a thread may be about to append to it. The limit is
        set first: a text that comes too late to be taken then reports itself.
        """
        self.limit = -1
        self.size = self.flushed = 0
        parts = self.parts[:count]
        del self.parts[: len(parts)]
        return "".join(parts)

    def look(self) -> tuple[int, int]:
        """Count the parts that were there before anything that is in a pipe now, and all parts.

        The text that `owner` has not yet taken note of may have been written after that. As in
        `take`, a text that comes too late to be counted reports itself.
        """
        noted, self.limit = self.limit >= 0, -1
        count = len(self.parts)
        return count if noted else self.flushed, count

    def mark_flushed(self) -> None:
        """Note that all so far has been flushed; the next text reports itself."""
        self.limit = -1
        self.flushed = len(self.parts)


class Stream(Protocol):
    """Writes for a request."""

    alone: Text | None  # where; None: it has to look


class Asker:
    """Who may be asked for input while a request runs, and by the threads that it has started."""

    def __init__(self, session: str, peer: Peer, parent: bytes) -> None:
        self.session = session
        self.peer = peer
        self.parent = parent
        self.lock = threading.Lock()  # one question after the other, also of two threads


class Request:
    """Without the message itself: a thread may keep this for long, and buffers can be large.

    Args:
        parent: header of the message.
        asker: who may be asked for input; None: nobody.
        texts: what it has written, to stdout and stderr; None: nothing yet.
    """

    __slots__ = ("asker", "parent", "texts")

    def __init__(
        self,
        parent: bytes = EMPTY,
        asker: Asker | None = None,
        texts: tuple[Text, Text] | None = None,
    ) -> None:
        self.parent = parent
        self.asker = asker
        self.texts = texts or (Text("stdout", 1, parent), Text("stderr", 2, parent))


class Requests:
    """Knows which request is whose."""

    def __init__(self) -> None:
        self.running = Request()  # the last one that began
        self.busy = False  # shell is, with a request or some that wait
        self.streams: list[Stream] = []  # `print` need not look for its request as long as
        self.alone = True  # no thread or task can have another one

    def begin(self, parent: bytes, asker: Asker | None = None) -> None:
        """From now on this thread, and what it starts, does another request."""
        self.running = Request(parent, asker)
        REQUEST.set(self.running)
        if self.alone:
            for stream, text in zip(self.streams, self.running.texts, strict=False):
                stream.alone = text

    def end(self) -> None:
        """The main thread is done with it: nobody is asked, but outputs are still the request's."""
        self.running = Request(self.running.parent, None, self.running.texts)
        REQUEST.set(self.running)

    def share(self) -> None:
        """From now on there may be several at once."""
        self.alone = False
        for stream in self.streams:
            stream.alone = None

    def mine(self) -> Request:
        """The request of this thread or task."""
        return REQUEST.get(self.running)  # type: ignore[no-any-return] # interpreter knows no Request

    def keep_in_threads(self) -> None:
        """Have each thread that is started keep the request of who starts it.

        A context is what Python runs a thread in anyway; this one has nothing in it but the
        request. So `Thread` is left as it is, and whatever subclasses override.
        """
        for module, name in STARTERS:
            if hasattr(module, name):
                setattr(module, name, self._keeping(getattr(module, name)))

    def _keeping(self, start: Callable[..., Any]) -> Callable[..., Any]:
        def start_new_thread(function: Callable[..., Any], *args: Value, **options: Value) -> Value:
            request = REQUEST.get(None)
            if request is None or not callable(function):  # of the kernel, or a mistake
                return start(function, *args, **options)
            self.share()
            context = contextvars.Context()
            context.run(REQUEST.set, request)
            return start(partial(context.run, function), *args, **options)

        return start_new_thread
