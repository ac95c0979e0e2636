"""What happens to messages that were refused: counted, seldom logged, answered if authentic."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import TYPE_CHECKING

from minikernel.errors import ContentError
from minikernel.kernel.dispatch import error_reply
from minikernel.wire.content import BUSY, IDLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minikernel.errors import RemoteProtocolError
    from minikernel.kernel.dispatch import ErrorReply
    from minikernel.kernel.publisher import Publisher
    from minikernel.protocol.end import ChannelEnd

INTERVAL = 1.0  # seconds between two log lines, at least


class Log:
    """Lines on the kernel's own terminal, at most one a second, without bytes of a stranger."""

    def __init__(self, descriptor: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._next = 0.0
        self._left_out = 0
        self._lock = threading.Lock()  # shell and control each have a thread

    def line(self, text: str) -> None:
        """Write a line, or only count it if the last one is less than a second old."""
        if not self.offer(text):
            with self._lock:
                self._left_out += 1

    def offer(self, text: str) -> bool:
        """Write a line, if it may be written now; what is offered again later is not counted."""
        with self._lock:
            now = time.monotonic()
            if now < self._next or not _is_read(self._descriptor()):
                return False
            more = f" (and {self._left_out} lines left out)" if self._left_out else ""
            self._next, self._left_out = now + INTERVAL, 0
        try:
            os.write(self._descriptor(), f"minikernel: {text}{more}\n".encode())
        except OSError:
            return False  # the terminal has gone, or its disk is full; the ledger still tells
        return True


def _is_read(descriptor: int) -> bool:
    """Whether a line can be written without waiting for somebody who reads the terminal."""
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    return bool(writable.poll(0))


class Refusals:
    """Deals with the RemoteProtocolErrors of all channels."""

    def __init__(self, publisher: Publisher, log: Log) -> None:
        self._publisher = publisher
        self._log = log

    def note(self, end: ChannelEnd, problem: RemoteProtocolError) -> ErrorReply | None:
        """Log a refusal; how to answer it, if it was an authentic request."""
        total = sum(end.tally.rejected.values())
        self._log.line(f"{end.channel.value}: refused, {problem.reason}; {total} so far")
        return error_reply(problem) if isinstance(problem, ContentError) else None

    @contextlib.contextmanager
    def around(self, reply: ErrorReply) -> Iterator[None]:
        """Publishes busy and idle around an error reply, unless the client may not know."""
        if reply.quiet:
            yield
            return
        self._publisher.status(BUSY, reply.parent)
        yield
        self._publisher.status(IDLE, reply.parent)
