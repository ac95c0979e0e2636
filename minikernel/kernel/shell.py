"""Requests on shell, one after the other, in the main thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minikernel.kernel.perform import OURS, Performer
from minikernel.transport.loops import MOST_FAILURES
from minikernel.transport.sockets import REQUEST_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.kernel.handlers import Parts
    from minikernel.kernel.port import Port
    from minikernel.wire.message import Message

FULL = REQUEST_QUEUE // 2  # messages after which there may be more on their way
SINCE_VERIFIED, AT_MOST = 0.05, 0.5  # seconds for them, else junk could hold up a reply
MOST_ABORTED = 10_000  # messages; who sends more has the rest run


class Shell:
    """Takes what comes on shell.

    Args:
        port: of shell.
        parts: what handlers use.
        done: called after a request, which may have run code of the user's.
    """

    def __init__(self, port: Port, parts: Parts, done: Callable[[], object]) -> None:
        self._port = port
        self._requests = parts.requests
        self._performer = Performer(
            port, parts, settle=parts.streams.flush, done=done, waiting=self._waiting
        )

    @property
    def descriptor(self) -> int:
        """Becomes readable when something has happened to the socket."""
        return self._port.socket.fileno()

    def wait(self) -> list[bytes]:
        """The frames of the next message; what a signal handler raises meanwhile ends nothing."""
        for _ in range(MOST_FAILURES):
            try:
                return self._port.inbox.wait()
            except OURS as problem:
                self._port.fail(None, problem)
        return self._port.inbox.wait()

    def next(self) -> list[bytes] | None:
        """The frames of the next message if one has come."""
        return self._port.inbox.next()

    @property
    def unfinished(self) -> bool:
        """Whether `next` has read a part of a message."""
        return self._port.inbox.unfinished

    async def handle(self, frames: list[bytes]) -> None:
        """Verify one message and do what it asks."""
        message = self._take(frames)
        if message is not None:
            self._requests.busy = True
            await self._performer.perform(message)
            self._requests.busy = False

    def _take(self, frames: list[bytes]) -> Message | None:
        try:
            return self._port.take(frames)
        except OURS as problem:
            self._port.fail(None, problem)
            return None

    def _waiting(self) -> list[Message]:
        """The messages that wait; behind a full queue there may be more on their way.

        What has come by now was sent before anybody could know that a cell has failed.
        """
        waiting: list[Message] = []
        begun = verified = now = time.monotonic()
        for turn in range(MOST_ABORTED):
            left = min(verified + SINCE_VERIFIED, begun + AT_MOST) - now
            if left <= 0 or not self._port.socket.poll(int(1000 * left) if turn > FULL else 0):
                break
            message = self._take(self.wait())
            now = time.monotonic()
            if message is not None:
                waiting.append(message)
                verified = now
        return waiting
