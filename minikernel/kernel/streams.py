"""stdout and stderr of the kernel's process: of Python, its threads, subprocesses and C code.

Python's text is collected in lists and given away in large pieces; what reaches descriptors 1 and
2 by another way goes through a pipe each. What two requests write is never joined. Order is kept
within what a request writes by Python (also from stdout to stderr) and within a descriptor. Between
them it is kept as far as that is free: text that was pending when something arrived at a descriptor
goes first, and what is in the pipes goes before the first text that is written after it.

What is flushed after a while of quiet is published at once; what is flushed soon after waits a
moment for more. Else a loop that flushes each line would be a message a line, and subscribers that
can't take so many would lose some.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from functools import partial
from os import read, write  # not looked up in `os`, where cells patch
from threading import get_ident
from typing import TYPE_CHECKING

from minikernel.kernel.descriptors import (
    READ,
    CStdio,
    Pipe,
    open_what_is_closed,
    replace_stdin,
)
from minikernel.kernel.request import Requests
from minikernel.kernel.text import TextStream
from minikernel.transport.loops import start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import Value
    from minikernel.kernel.request import Text

_TICK = 50  # ms that text may be pending
_JOIN = 5  # ms that flushed text may be pending, if text was flushed just before
_PAUSE = 20  # ms in which what trickles into the pipes is collected
_BREATH = 1  # ms in which others get the lock from a thread that always has more to read
_PENDING = 1 << 17  # characters that may be pending
_MESSAGE = 1 << 17  # bytes of the longest piece: a subscriber that does not read keeps 4,000


class Streams:
    """The redirection of the process's standard streams; one a process.

    In a forked child, and after `stop`, Python's streams write straight to their descriptors: in a
    child these are the pipes to its parent, which publishes.
    """

    def __init__(
        self,
        publish: Callable[[str, str, bytes], None],
        *,
        requests: Requests | None = None,
        sending: Callable[[], bool] = lambda: False,
        done: Callable[[], None] = lambda: None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Prepare; nothing is redirected before `start`.

        Args:
            publish: takes "stdout" or "stderr", a text, and the header of the request that wrote
                it. Called from any thread, never twice at once. What it raises is dropped; there
                is nobody to tell.
            requests: know which request writes.
            sending: whether the calling thread is in the middle of sending another message, so
                that a finaliser or signal handler that prints now must not wait for anybody.
            done: called after text was published; an interrupt that came meanwhile, and would have
                lost text if it had not been deferred, may take effect in it.
            failed: called in the thread that reads the pipes with what ends it, if anything does.
        """
        self._requests = requests or Requests()
        self.stdout = TextStream(self, "stdout", 0, self._requests)
        self.stderr = TextStream(self, "stderr", 1, self._requests)
        self.terminal = 2  # the original stderr: the kernel's own log
        self._publish = publish
        self._sending = sending
        self._done = done
        self._failed = failed
        self._direct = True
        self._now = time.monotonic  # whatever is in `time` later
        self._flushed = 0.0  # when flushed text was published last
        self._hurrying = False  # the thread publishes flushed text before long
        self._ticking = False  # the thread looks for pending text by itself
        self._pausing = False  # the thread leaves the pipes alone for a moment
        self._stopping = False
        self._reset()

    def _reset(self) -> None:
        # Reentrant: a signal handler or a finaliser may print while its own thread publishes.
        self._lock = threading.RLock()
        self._busy = False
        self._publisher = 0  # the thread that has taken text and not yet published it
        self._waiting: dict[Text, None] = {}  # those with text, the first one first

    def start(self) -> int:
        """Redirect descriptors 0, 1 and 2 and Python's streams.

        Returns:
            `terminal`: the descriptor under which the original stderr lives on.
        """
        _flush(sys.stdout, sys.stderr)
        open_what_is_closed()
        self._c_stdio = CStdio()
        self._stdin = replace_stdin()
        self._pipes = (Pipe("stdout", 1), Pipe("stderr", 2))
        self.terminal = self._pipes[1].original
        self._ready = select.poll()
        for pipe in self._pipes:
            self._ready.register(pipe.end, select.POLLIN)
        self._woken, self._wake = os.pipe()
        self._python = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        # __stdout__ too: what restores it must not get a buffer that nobody flushes.
        self._replace_python(self.stdout, self.stderr, self.stdout, self.stderr)
        self._direct = False
        self._thread = start_thread("minikernel streams", self._run, self._failed)
        return self.terminal

    def flush(self) -> None:
        """Publish all that was written until now; bounded, also if somebody writes for ever."""
        if self._direct:
            for pending in [*self._waiting]:
                self._write_out(pending)
            return
        if self._sending():
            return
        self._c_stdio.flush()
        with self._lock:
            self._publish_all()

    def stop(self) -> None:
        """Undo `start`, after a last `flush`; harmless if nothing is redirected."""
        if self._direct:
            return
        self._stopping = True
        write(self._wake, b".")
        self._thread.join(1)  # not for ever: a signal handler may have interrupted a publish
        self._c_stdio.flush()
        for pipe in self._pipes:
            os.dup2(pipe.original, pipe.descriptor)
        os.dup2(self._stdin, 0)
        self._replace_python(*self._python)
        with self._lock:
            self._publish_all(final=True)
            self._direct = True
        self._close()
        for pipe in self._pipes:
            os.close(pipe.original)
        os.close(self._stdin)
        self.terminal = 2

    # The slow side of TextStream.

    def grown(self, pending: Text, text: str) -> None:
        """Take note of `text`, the first one of `pending` or one too many."""
        self._waiting[pending] = None
        if self._direct:
            if "\n" in text or pending.size > _PENDING:
                self._write_out(pending)
            return
        if self._sending():
            self._keep_ticking()
            return
        with self._lock:
            self._keep_ticking()
            if self._busy:  # this thread publishes, further down its stack: the tick will do it
                return
            if pending.limit < 0 and pending.parts:  # unless published while we came here
                self._publish_others(pending)
                pending.limit = _PENDING
            if pending.size > pending.limit:
                self._publish_text(pending)

    def published(self, pending: Text) -> None:
        """Publish what is pending, or have it published in a moment."""
        if self._direct:
            self._write_out(pending)
            return
        if self._sending() or not pending.parts:
            return
        with self._lock:
            if self._busy:
                return
            if (now := self._now()) - self._flushed >= _JOIN / 1000:
                self._flushed = now
                self._publish_text(pending)
            else:
                pending.mark_flushed()
                self._hurry()

    # Publishing; all under the lock.

    def _publish_all(self, *, final: bool = False) -> int:
        if self._busy:
            return 0
        seen = [(pending, *pending.look()) for pending in [*self._waiting]]
        readable = self._can_read()  # after the look: what was seen came before what is not there
        size = 0
        # Several texts of a request are pending only if two threads write: then no order is lost.
        for pending, first, count in seen:
            size += self._publish_text(pending, first if readable else count)
        if readable or final:
            size += self._read_pipes(final=final)
            for pending, first, count in seen:
                size += self._publish_text(pending, count - first)
        return size

    def _publish_others(self, pending: Text) -> None:
        """What comes before the text that was just written to `pending`."""
        for other in [*self._waiting]:
            if other.parent is pending.parent and other is not pending:
                self._publish_text(other)
        if self._can_read():
            # What was flushed, or pending elsewhere, may have come before what is in the pipes.
            for other in [*self._waiting]:
                self._publish_text(other, other.look()[0])
            self._read_pipes()

    def is_publishing(self) -> bool:
        """Whether this thread has taken text and not yet published it."""
        return self._publisher == get_ident()

    def _publish_text(self, pending: Text, count: int | None = None) -> int:
        if count == 0:
            return 0
        self._waiting.pop(pending, None)  # before it is taken: what comes after reports itself
        if not pending.parts:
            return 0
        size = self._send(pending.label, partial(pending.take, count), pending.parent)
        if pending.parts:
            self._waiting[pending] = None
        return size

    def _read_pipes(self, *, final: bool = False) -> int:
        """Publish what was written by whom Python does not know: it is the running request's."""
        parent = self._requests.running.parent
        return sum(
            self._send(pipe.label, partial(pipe.read, final=final), parent) for pipe in self._pipes
        )

    def _can_read(self) -> bool:
        try:
            self._busy = True  # poll() is not reentrant, and a signal handler may print
            return bool(self._ready.poll(0))
        finally:
            self._busy = False

    def _send(self, label: str, take: Callable[[], str], parent: bytes) -> int:
        try:
            self._publisher = get_ident()
            self._busy = True
            text = take()
            step = _MESSAGE if text.isascii() else _MESSAGE // 4
            for start in range(0, len(text), step):
                with contextlib.suppress(Exception):
                    self._publish(label, text[start : start + step], parent)
        finally:
            self._busy = False
            self._publisher = 0
        self._done()
        return len(text)

    # The thread: it reads the pipes, and looks every _TICK after pending text while there is any.

    def _run(self) -> None:
        poll, pause = select.poll(), select.poll()
        pause.register(self._woken, select.POLLIN)
        for end in (*(pipe.end for pipe in self._pipes), self._woken):
            poll.register(end, select.POLLIN)
        while not self._stopping:
            events = poll.poll(self._patience)
            if any(end == self._woken for end, _ in events):
                read(self._woken, READ)
            else:
                self._tick(pause, readable=bool(events))

    @property
    def _patience(self) -> int | None:
        if self._hurrying:
            return _JOIN
        return _TICK if self._ticking else None

    def _tick(self, pause: select.poll, *, readable: bool) -> None:
        with self._lock:
            if self._direct:
                return
            self._ticking = self._hurrying = False  # before looking: who writes later wakes us
            size = self._publish_all()
            if size:
                self._flushed = self._now()
                self._ticking = True
            self._pausing = readable
        if readable:
            pause.poll(_PAUSE if size < READ else _BREATH)
            self._pausing = False

    def _keep_ticking(self) -> None:
        # A pause ends, because from now on it matters which comes first, text or descriptors.
        if self._pausing or not self._ticking:
            self._pausing = False
            self._ticking = True
            write(self._wake, b".")

    def _hurry(self) -> None:
        if not self._hurrying:
            self._hurrying = True
            self._pausing = False
            write(self._wake, b".")

    # Fork.

    def flush_before_fork(self) -> None:
        """Publish what is pending: the child would have it too."""
        if not self._direct:
            self.flush()

    def forget(self) -> None:
        """In the child: write straight to the descriptors, the pipes of the parent."""
        if self._direct:
            return
        for pending in (*self._waiting, self.stdout.pending, self.stderr.pending):
            pending.take()  # the parent's, who publishes it
        self._reset()
        self._direct = True
        for stream in (self.stdout, self.stderr):
            stream.buffer.reset()
        self._close()

    def _write_out(self, pending: Text) -> None:
        with self._lock:
            self._waiting.pop(pending, None)
            data = memoryview(pending.take().encode("utf-8", "replace"))
            while data:
                data = data[write(pending.descriptor, data) :]

    def _close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        os.close(self._woken)
        os.close(self._wake)

    def _replace_python(self, *streams: Value) -> None:
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]


def _flush(*streams: Value) -> None:
    for stream in streams:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
