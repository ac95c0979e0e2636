"""What happens to messages that were refused: counted, seldom logged, answered if authentic."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TYPE_CHECKING

from minikernel.errors import ContentError
from minikernel.kernel.dispatch import error_reply
from minikernel.wire.content import BUSY, IDLE
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.errors import RemoteProtocolError
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
        with self._lock:
            now = time.monotonic()
            if now < self._next or not _is_read(self._descriptor()):
                self._left_out += 1
                return
            more = f" (and {self._left_out} lines left out)" if self._left_out else ""
            self._next, self._left_out = now + INTERVAL, 0
        try:
            os.write(self._descriptor(), f"minikernel: {text}{more}\n".encode())
        except OSError:
            return  # the terminal has gone; the ledger still tells


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

    def refuse(
        self,
        end: ChannelEnd,
        frames: list[bytes],
        problem: RemoteProtocolError,
        send: Callable[[list[bytes]], object],
    ) -> None:
        """Answer an authentic request with an error, anything else with silence."""
        total = sum(end.tally.rejected.values())
        self._log.line(f"{end.channel.value}: refused, {problem.reason}; {total} so far")
        reply = error_reply(problem) if isinstance(problem, ContentError) else None
        if reply is None:
            return
        self._publisher.status(BUSY, reply.parent)
        to = frames[: frames.index(DELIMITER)]
        send(end.send(reply.msg_type, reply.content, parent=reply.parent, to=to))
        self._publisher.status(IDLE, reply.parent)
