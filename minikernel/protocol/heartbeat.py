"""The kernel's end of an authenticated heartbeat: the whole last frame is the message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.errors import FramingError, refusal
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
            pong = self._pong(_ping(frames))
        except Exception as problem:  # noqa: BLE001 - also a MemoryError, or a bug of ours
            self.tally.rejected[refusal(problem).reason] += 1
            return None
        self.tally.verified += 1
        self.tally.sent += 1
        return [*frames[:-1], pong]


def _ping(frames: list[bytes]) -> bytes:
    if not 0 < len(frames) <= LIMITS.before + 1:
        raise FramingError("no frames, or too many")
    return frames[-1]
