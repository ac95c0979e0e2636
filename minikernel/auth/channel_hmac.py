"""channel-hmac behind the seam, the kernel's side; the client's is in channel_hmac_membership."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac_frames import DATA_CHANNELS
from minikernel.auth.channel_hmac_kernel import ClientPeer
from minikernel.auth.channel_hmac_keys import Right, permits
from minikernel.auth.registry import CHANNEL_HMAC
from minikernel.auth.scheme import Sealed
from minikernel.errors import FramingError, PermissionDenied, TooManySessions
from minikernel.wire.channels import Channel
from minikernel.wire.content import ok

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.channel_hmac_kernel import KernelEnd
    from minikernel.auth.scheme import Peer, Route

BIND = "bind_request"


class KernelChannelHmac:
    """All channels of a kernel.

    Args:
        end: who does it.
        clock: seconds, monotonic.
    """

    name = CHANNEL_HMAC
    own_types = frozenset({BIND})

    def __init__(self, end: KernelEnd, clock: Callable[[], float]) -> None:
        self._end = end
        self._clock = clock
        self.forget = end.forget

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Counters that were skipped, of all sessions."""
        return self._end.gaps

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        """DATA for the peer's session or the one that replaced it, or PUBLISH."""
        if channel is Channel.IOPUB:
            return Sealed(to.route, self._end.publish(to.route[0], frames))
        return self._end.seal(channel, frames, _client(to))

    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route
    ) -> Peer:
        """The client whose DATA this is. Raises RemoteProtocolError."""
        if channel not in DATA_CHANNELS:
            raise FramingError(f"no DATA on {channel.value}")
        return self._end.open(channel, signature, frames, route, self._clock())

    def greet(self, channel: Channel, frame: bytes, route: Route) -> bytes | None:  # noqa: ARG002 - anybody may knock
        """CHALLENGE for a HELLO. Raises RemoteProtocolError."""
        if channel is not Channel.CONTROL:
            raise FramingError("HELLO belongs on control")
        return self._end.hello(frame, self._clock())

    def permit(self, peer: Peer, msg_type: str, session: str) -> None:
        """Section 5, step 8. Raises ContentError."""
        client = _client(peer)
        if not client.admitted and msg_type != BIND:
            raise TooManySessions("too many clients; try again later")
        self._end.claim(client, session)
        if not permits(client.rights, msg_type):
            raise PermissionDenied("this client has not the right to ask for that")

    def bind(self, peer: Peer, replaces: str | None) -> Mapping[str, object]:
        """The bind_reply on control. Raises TooManySessions."""
        account = self._end.bind(_client(peer), replaces, self._clock())
        return ok(**({} if account is None else account._asdict()))

    def observes(self, peer: Peer) -> bool:
        """Whether its client gets tags on iopub."""
        return bool(_client(peer).rights & Right.OBSERVE)

    def current(self, peer: Peer) -> str | None:
        """The session that gets what is said to this peer; None: it is gone."""
        return self._end.current(_client(peer))

    def pong(self, ping: bytes) -> bytes:
        """PONG. Raises RemoteProtocolError."""
        return self._end.pong(ping, self._clock())

    def expire(self) -> None:
        """Drop idle sessions; not while a request is queued or running."""
        self._end.expire(self._clock())


def _client(peer: Peer) -> ClientPeer:
    assert isinstance(peer, ClientPeer)  # noqa: S101 - all peers are of our own making
    return peer
