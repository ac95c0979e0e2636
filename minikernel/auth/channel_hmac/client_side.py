"""channel-hmac behind the seam, the client's side (section 3).

How a client gets a session, and what became of the requests of an older one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac import NAME
from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.frames import DATA_CHANNELS
from minikernel.auth.channel_hmac.joining import Event, Joining, State
from minikernel.auth.channel_hmac.keys import Master, invited
from minikernel.auth.channel_hmac.replaced import ReplacedSession
from minikernel.auth.rights import Right, permits
from minikernel.auth.scheme import ClientSide, Fate, Greeting, HandshakeRequest, Sealed
from minikernel.errors import (
    FramingError,
    SessionNameTaken,
    TooManySessions,
    UnknownSession,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minikernel.auth.channel_hmac.client import ClientSession
    from minikernel.auth.spec import Setup
    from minikernel.wire.peer import Peer, Route

MOST_NAMES = 3  # that are tried after the first


class ClientChannelHmac(ClientSide):
    """All channels of a client; its session is the kernel's, one after the other.

    Args:
        end: who does it.
        rights: of its credential.
    """

    name = NAME
    own_types = frozenset({"bind_reply"})

    def __init__(self, end: ClientEnd, rights: int) -> None:
        self.observes = bool(rights & Right.OBSERVE)
        self._rights = rights
        self._end = end
        self._joining = Joining()
        self._replaced: ReplacedSession | None = None
        self._old_gaps: Counter[Channel] = Counter()

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """What the kernel sent and never came."""
        session = self._end.session
        if session is None:
            return self._old_gaps
        return {channel: n + self._old_gaps[channel] for channel, n in _gaps_of(session).items()}

    def permits(self, msg_type: str) -> bool:
        """Whether the rights of this client's file allow it (section 2)."""
        return permits(self._rights, msg_type)

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        """DATA in the session in force, or in that of `to`; None: there is none yet."""
        session = self._end.session
        if to.session is not None:
            session = self._session(to.session)
        if session is None:
            return None
        return Sealed((), session.seal(channel, frames))

    def _session(self, name: str) -> ClientSession:
        for session in (self._end.candidate, self._end.session):
            if session is not None and session.id.hex() == name:
                return session
        raise UnknownSession("the session is over")

    def open(
        self,
        channel: Channel,
        signature: bytes,
        frames: Sequence[bytes],
        route: Route,
        now: float = 0.0,  # noqa: ARG002 - a session ends when the kernel says so
    ) -> Peer:
        """The session in which the kernel sent it. Raises RemoteProtocolError."""
        return self._end.open(channel, signature, frames, route)

    def greet(
        self,
        channel: Channel,
        frame: bytes,
        route: Route,
        now: float = 0.0,
    ) -> bytes | None:
        """Take CHALLENGE. Raises RemoteProtocolError."""
        if channel is not Channel.CONTROL or route:
            raise FramingError("CHALLENGE belongs on control")
        self._end.challenge(frame)
        self._joining.happens(Event.OPENED, now)
        return None  # what follows is due

    def renew(self, now: float) -> None:
        """Shake hands, or go on with it: the last HELLO may be lost."""
        if self._joining.state is not State.TURN:
            self.renewed, self.refusal = now, None
        self._joining.happens(Event.RENEWED, now)

    def is_ready(self, channel: Channel) -> bool:
        """Whether a session is bound; on shell, whether outputs arrive or are given up, too."""
        joining = self._joining
        bound = joining.state is State.NOTHING
        if channel is Channel.CONTROL:
            bound |= joining.state is State.WELCOME and joining.routed
        return self._end.session is not None and bound and self.refusal is None

    def wait(self, now: float) -> float | None:
        """Seconds until something is due."""
        joining = self._joining
        return None if joining.state is State.NOTHING else max(0.0, joining.next - now)

    def due(self, now: float) -> Sequence[Greeting | HandshakeRequest]:
        """HELLO or bind_requests."""
        joining = self._joining
        if joining.is_late(now):
            self._give_up(now)
        if joining.state is State.NOTHING or now < joining.next:
            return ()
        if joining.state is State.CHALLENGE:
            joining.said_hello(now)
            return (Greeting(Channel.CONTROL, self._end.hello()),)
        joining.asked(now)
        requests = self._requests()
        self._settle()
        return requests

    def _give_up(self, now: float) -> None:
        if self._joining.state is State.WELCOME:
            self.connected = False
        else:
            self.renewed, self.refusal = now, None
        self._joining.happens(Event.LATE, now)

    def _requests(self) -> Sequence[HandshakeRequest]:
        """bind_requests: on control, until the reply and the welcome have come.

        On shell and stdin once, after the reply: their threads of the kernel could be quicker than
        control's, and would not know the session yet.
        """
        candidate, session = self._end.candidate, self._end.session
        content: dict[str, object] = {}
        if candidate is not None and session is not None:
            content = {"replaces": session.id.hex()}
        requests = [_request(Channel.CONTROL, candidate or session, content)]
        joining = self._joining
        if joining.state is State.WELCOME and not joining.routed:
            joining.routed = True
            others = [_request(c, session, {}) for c in (Channel.SHELL, Channel.STDIN)]
            return others if joining.welcomed or not self.observes else [*others, *requests]
        return requests

    def take(
        self,
        channel: Channel,
        peer: Peer,
        msg_type: str,
        content: Mapping[str, object],
        name: str | None = None,
    ) -> None:
        """A bind_reply on control, or our iopub_welcome."""
        if channel is Channel.CONTROL and msg_type == "bind_reply":
            self._take_reply(peer, content, name)
        elif channel is Channel.IOPUB and msg_type == "iopub_welcome":
            newest = self._end.candidate or self._end.session
            self._joining.welcomed |= newest is not None and peer.session == newest.id.hex()
        self._settle()

    def _settle(self) -> None:
        joining = self._joining
        is_waiting = joining.state is State.WELCOME
        if is_waiting and joining.routed and (joining.welcomed or not self.observes):
            joining.happens(Event.READY)
            self.connected = True

    def _take_reply(self, peer: Peer, content: Mapping[str, object], name: str | None) -> None:
        candidate, old = self._end.candidate, self._end.session
        is_waiting = self._joining.state is State.REPLY
        if not is_waiting or candidate is None or peer.session != candidate.id.hex():
            return
        if content.get("status") != "ok":
            self._take_refusal(candidate, content, name)
            return
        if old is not None:
            self._old_gaps.update(_gaps_of(old, published=old.published is not candidate.published))
            self._replaced = ReplacedSession(old, content, restarted=old.run_id != candidate.run_id)
        self._end.bound()
        self._joining.happens(Event.BOUND)

    def _take_refusal(
        self, candidate: ClientSession, content: Mapping[str, object], name: str | None
    ) -> None:
        is_taken = content.get("ename") == SessionNameTaken.__name__
        if is_taken and candidate.name not in {None, name}:
            return  # the answer to a bind_request under the name before
        if is_taken and self._joining.names < MOST_NAMES:
            candidate.name = self._end.fresh_name()
            self._joining.happens(Event.NAME_TAKEN)
            return
        self.refusal = str(content.get("evalue", "refused"))
        self.refused_as = SessionNameTaken if is_taken else TooManySessions
        self._joining.happens(Event.REFUSED)

    def farewells(self) -> Sequence[HandshakeRequest]:
        """Goodbye in each session that may be bound: their places are free at once."""
        sessions = (self._end.candidate, self._end.session)
        return [_request(Channel.CONTROL, s, {"leaves": True}) for s in sessions if s is not None]

    @property
    def name_in_force(self) -> str | None:
        """`header.session` of what is sent in the session in force; None: as it is."""
        return None if self._end.session is None else self._end.session.name

    def forget(self) -> None:
        """In the child after a fork: forget all keys, and send nothing (section 4)."""
        self._joining, self._replaced = Joining(), None
        self._end.forget()

    under_way = (Channel.CONTROL,)

    @property
    def has_taken_over(self) -> bool:
        """Whether `fates` has something to tell."""
        return self._replaced is not None

    def fates(
        self, asked: Mapping[Channel, Mapping[str, bytes]]
    ) -> dict[tuple[Channel, str], Fate]:
        """What became of requests that are not answered yet, after a session took over."""
        replaced, self._replaced = self._replaced, None
        new = None if self._end.session is None else self._end.session.id
        return {} if replaced is None else replaced.fates(asked, new)

    def ping(self) -> bytes | None:
        """The next PING; None: there is no session. From any thread."""
        session = self._end.session
        return None if session is None else session.ping()

    def take_pong(self, frame: bytes) -> None:
        """Take a PONG; from any thread. Raises RemoteProtocolError."""
        self._end.pong(frame)


def make(setup: Setup) -> ClientChannelHmac:
    """The client's side of the scheme, for the owner or somebody invited. Raises ConfigError."""
    if setup.invitation is None:
        credential = Master(setup.key).owner()
    else:
        client_id, rights, key = setup.invitation
        credential = invited(client_id, rights, key.reveal().decode())
    return ClientChannelHmac(ClientEnd(credential, entropy=setup.entropy), credential.rights)


def _request(
    channel: Channel, session: ClientSession | None, content: Mapping[str, object]
) -> HandshakeRequest:
    if session is None:
        return HandshakeRequest(channel, "bind_request", content, None)
    return HandshakeRequest(channel, "bind_request", content, session.id.hex(), session.name)


def _gaps_of(session: ClientSession, *, published: bool = True) -> dict[Channel, int]:
    gaps = {channel: session.channels[channel].received.gaps for channel in DATA_CHANNELS}
    if published:
        gaps[Channel.IOPUB] = session.published.counter.gaps
    return gaps
