"""channel-hmac behind the seam, the kernel's side; the client's is in channel_hmac_membership."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac import NAME
from minikernel.auth.channel_hmac.frames import DATA_CHANNELS
from minikernel.auth.channel_hmac.kernel import ClientPeer, KernelEnd
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.auth.rights import OWNER_RIGHTS, Right, permits
from minikernel.auth.scheme import KernelSide, Sealed
from minikernel.errors import FramingError, TooManySessions
from minikernel.wire.channels import Channel
from minikernel.wire.content import ok

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minikernel.auth.spec import Setup
    from minikernel.wire.peer import Peer, Route

BIND = "bind_request"


class KernelChannelHmac(KernelSide):
    """All channels of a kernel.

    Args:
        end: who does it.
    """

    name = NAME
    own_types = frozenset({BIND})

    def __init__(self, end: KernelEnd) -> None:
        self._end = end

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Counters that were skipped, of all sessions."""
        return self._end.gaps

    def gaps_for(self, peer: Peer) -> dict[str, Mapping[Channel, int]]:
        """Counters that were skipped, as a client may know them (section 6)."""
        client = _client(peer)
        told: dict[str, Mapping[Channel, int]] = {"gaps": client.handle.gaps}
        if client.rights == OWNER_RIGHTS:
            told["gaps_total"] = self._end.gaps
        return told

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        """DATA for the peer's session or the one that replaced it, or PUBLISH."""
        if channel is Channel.IOPUB:
            return Sealed(to.route, self._end.publish(to.route[0], frames))
        return self._end.seal(channel, frames, _client(to))

    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route, now: float
    ) -> Peer:
        """The client whose DATA this is. Raises RemoteProtocolError."""
        if channel not in DATA_CHANNELS:
            raise FramingError(f"no DATA on {channel.value}")
        return self._end.open(channel, signature, frames, route, now)

    def greet(
        self,
        channel: Channel,
        frame: bytes,
        route: Route,  # noqa: ARG002 - anybody may knock
        now: float,
    ) -> bytes | None:
        """CHALLENGE for a HELLO. Raises RemoteProtocolError."""
        if channel is not Channel.CONTROL:
            raise FramingError("HELLO belongs on control")
        return self._end.hello(frame, now)

    def claim(self, peer: Peer, msg_type: str, session: str) -> None:
        """Section 5, step 8. Raises ContentError."""
        client = _client(peer)
        if not client.admitted and msg_type != BIND:
            raise TooManySessions("too many clients; try again later")
        self._end.claim(client, session)

    def may(self, peer: Peer, msg_type: str) -> bool:
        """Whether its rights allow it (section 2)."""
        return permits(_client(peer).rights, msg_type)

    def bind(
        self, peer: Peer, replaces: str | None, now: float, *, busy: bool = False
    ) -> Mapping[str, object]:
        """The bind_reply on control. Raises TooManySessions or SessionNameTaken."""
        account = self._end.bind(_client(peer), replaces, now, busy=busy)
        return ok(**({} if account is None else account._asdict()))

    def leave(self, peer: Peer) -> None:
        """A client says goodbye (section 3): its session is closed."""
        self._end.leave(_client(peer))

    def observes(self, peer: Peer) -> bool:
        """Whether its client gets tags on iopub."""
        return bool(_client(peer).rights & Right.OBSERVE)

    def may_welcome(self, peer: Peer, now: float) -> bool:
        """Whether an iopub_welcome is due to its client: one that observes, five times a second."""
        return self.observes(peer) and self._end.may_welcome(_client(peer), now)

    def current(self, peer: Peer) -> str | None:
        """The session that gets what is said to this peer; None: it is gone."""
        return self._end.current(_client(peer))

    def pong(self, ping: bytes, now: float) -> bytes:
        """PONG. Raises RemoteProtocolError."""
        return self._end.pong(ping, now)

    def expire(self, now: float) -> None:
        """Drop idle sessions; not while a request is queued or running."""
        self._end.expire(now)

    def forget(self) -> None:
        """In the child after a fork: forget all keys, and send nothing (section 4)."""
        self._end.forget()


def _client(peer: Peer) -> ClientPeer:
    assert isinstance(peer, ClientPeer)  # noqa: S101 - all peers are of our own making
    return peer


def make(setup: Setup) -> KernelChannelHmac:
    """The kernel's side of the scheme. Raises ConfigError: the key is too short."""
    limits = SessionLimits(sessions=setup.sessions)
    return KernelChannelHmac(
        KernelEnd(setup.key, entropy=setup.entropy, limits=limits, refuse=setup.refuse)
    )
