"""The kernel's end of an authenticated heartbeat: the whole last frame is the message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.errors import FramingError, RemoteProtocolError
from minikernel.protocol.end import Tally
from minikernel.wire.channels import Channel
from minikernel.wire.frames import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable


class HeartbeatEnd:
    """Answers PINGs, without the socket.

    Args:
        pong: the answer to a PING; raises RemoteProtocolError.
    """

    channel = Channel.HEARTBEAT

    def __init__(self, pong: Callable[[bytes], bytes]) -> None:
        self.tally = Tally()
        self._pong = pong

    def answer(self, frames: list[bytes]) -> list[bytes] | None:
        """What to send back: the frames before the PING as they came, and the PONG; or nothing."""
        try:
            if len(frames) > LIMITS.before + 1:
                raise FramingError("too many frames")
            pong = self._pong(frames[-1])
        except RemoteProtocolError as problem:
            self.tally.rejected[problem.reason] += 1
            return None
        self.tally.verified += 1
        self.tally.sent += 1
        return [*frames[:-1], pong]
