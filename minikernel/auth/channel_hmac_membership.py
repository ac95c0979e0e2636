"""channel-hmac behind the seam, the client's side (section 3).

How a client gets a session, and what became of the requests of an older one.
"""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from minikernel.auth.channel_hmac_client import FIRST_RETRY, retry_delay
from minikernel.auth.channel_hmac_frames import DATA_CHANNELS, Type, parse_tagged
from minikernel.auth.channel_hmac_keys import Right
from minikernel.auth.registry import CHANNEL_HMAC
from minikernel.auth.scheme import Fate, Greeting, Plea, Sealed
from minikernel.errors import FramingError, UnknownSession
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minikernel.auth.channel_hmac_client import ClientEnd, ClientSession
    from minikernel.auth.channel_hmac_frames import Tagged
    from minikernel.auth.scheme import Peer, Route

BIND_AGAIN = 0.2  # seconds
PATIENCE = 10.0  # seconds for a bind_reply and a welcome


class Step(enum.Enum):
    """What a client waits for."""

    NOTHING = "nothing"
    CHALLENGE = "challenge"
    BOUND = "bind_reply"
    WELCOME = "iopub_welcome"


class Past(NamedTuple):
    """The session before, when another took its place."""

    session: ClientSession
    account: Mapping[str, object]  # the kernel's, in the bind_reply; empty: it knows it no more
    restarted: bool


class ClientChannelHmac:
    """All channels of a client; its session is the kernel's, one after the other.

    Args:
        end: who does it.
        rights: of its credential.
    """

    name = CHANNEL_HMAC
    own_types = frozenset({"bind_reply"})

    def __init__(self, end: ClientEnd, rights: int) -> None:
        self.observes = bool(rights & Right.OBSERVE)
        self.connected = True  # whether iopub is: outputs arrive
        self.refusal: str | None = None  # why the kernel has no place for us
        self.renewed = 0.0  # when it shook hands last; seconds, monotonic
        self._end = end
        self._step = Step.NOTHING
        self._hellos = 0
        self._next = 0.0
        self._until: float | None = None
        self._welcomed = False
        self._routed = False  # whether shell and stdin have been told where we are
        self._past: Past | None = None
        self._old_gaps: Counter[Channel] = Counter()

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """What the kernel sent and never came."""
        session = self._end.session
        if session is None:
            return self._old_gaps
        return {channel: n + self._old_gaps[channel] for channel, n in _gaps_of(session).items()}

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
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route
    ) -> Peer:
        """The session in which the kernel sent it. Raises RemoteProtocolError."""
        return self._end.open(channel, signature, frames, route)

    def permit(self, peer: Peer, msg_type: str, session: str) -> None:
        """The kernel may say anything."""

    def greet(self, channel: Channel, frame: bytes, route: Route) -> bytes | None:
        """Take CHALLENGE. Raises RemoteProtocolError."""
        if channel is not Channel.CONTROL or route:
            raise FramingError("CHALLENGE belongs on control")
        self._end.challenge(frame)
        self._step, self._next, self._until, self._welcomed = Step.BOUND, 0.0, None, False
        return None  # what follows is due

    def renew(self, now: float) -> None:
        """Shake hands, or go on with it: the last HELLO may be lost."""
        if self._step is Step.BOUND and self._until is None:
            return
        soon = now
        if self._step is Step.CHALLENGE:
            soon = min(self._next, now + FIRST_RETRY)
        self._step, self._hellos, self._next, self.refusal = Step.CHALLENGE, 0, soon, None
        self.renewed = now

    def is_ready(self, channel: Channel) -> bool:
        """Whether a session is bound; on shell, whether outputs arrive or are given up, too."""
        bound = self._step is Step.NOTHING
        if channel is Channel.CONTROL:
            bound |= self._step is Step.WELCOME and self._routed
        return self._end.session is not None and bound and self.refusal is None

    def wait(self, now: float) -> float | None:
        """Seconds until something is due."""
        return None if self._step is Step.NOTHING else max(0.0, self._next - now)

    def due(self, now: float) -> Sequence[Greeting | Plea]:
        """HELLO or bind_requests."""
        if self._step is Step.NOTHING or now < self._next:
            return ()
        if self._step is Step.CHALLENGE:
            self._hellos += 1
            self._next = now + retry_delay(self._hellos)
            return (Greeting(Channel.CONTROL, self._end.hello()),)
        if self._until is None:
            self._until = now + PATIENCE
        elif now >= self._until:
            return self._give_up(now)
        self._next = now + BIND_AGAIN
        pleas = self._pleas()
        self._settle()
        return pleas

    def _give_up(self, now: float) -> Sequence[Greeting | Plea]:
        if self._step is Step.BOUND:
            self.renew(now)
            return self.due(now)
        self._step, self.connected = Step.NOTHING, False
        return ()

    def _pleas(self) -> Sequence[Plea]:
        """bind_requests: on control, until the reply and the welcome have come.

        On shell and stdin once, after the reply: their threads of the kernel could be quicker than
        control's, and would not know the session yet.
        """
        candidate, session = self._end.candidate, self._end.session
        content = {}
        if candidate is not None and session is not None:
            content = {"replaces": session.id.hex()}
        pleas = [_plea(Channel.CONTROL, candidate or session, content)]
        if self._step is Step.WELCOME and not self._routed:
            self._routed = True
            others = [_plea(c, session, {}) for c in (Channel.SHELL, Channel.STDIN)]
            return others if self._welcomed or not self.observes else [*others, *pleas]
        return pleas

    def take(
        self, channel: Channel, peer: Peer, msg_type: str, content: Mapping[str, object]
    ) -> None:
        """A bind_reply on control, or our iopub_welcome."""
        if channel is Channel.CONTROL and msg_type == "bind_reply":
            self._take_reply(peer, content)
        elif channel is Channel.IOPUB and msg_type == "iopub_welcome":
            newest = self._end.candidate or self._end.session
            self._welcomed |= newest is not None and peer.session == newest.id.hex()
        self._settle()

    def _settle(self) -> None:
        if self._step is Step.WELCOME and self._routed and (self._welcomed or not self.observes):
            self._step, self.connected = Step.NOTHING, True

    def _take_reply(self, peer: Peer, content: Mapping[str, object]) -> None:
        candidate, old = self._end.candidate, self._end.session
        if self._step is not Step.BOUND or candidate is None or peer.session != candidate.id.hex():
            return
        if content.get("status") != "ok":
            self.refusal = str(content.get("evalue", "refused"))
            self._step = Step.NOTHING
            return
        if old is not None:
            self._old_gaps.update(_gaps_of(old, published=old.published is not candidate.published))
            self._past = Past(old, content, restarted=old.run_id != candidate.run_id)
        self._end.bound()
        self._step, self._next, self._routed = Step.WELCOME, 0.0, False

    under_way = (Channel.CONTROL,)

    @property
    def has_taken_over(self) -> bool:
        """Whether `fates` has something to tell."""
        return self._past is not None

    def fates(
        self, asked: Mapping[Channel, Mapping[str, bytes]]
    ) -> dict[tuple[Channel, str], Fate]:
        """What became of requests that are not answered yet, after a session took over."""
        past, self._past = self._past, None
        fates: dict[tuple[Channel, str], Fate] = {}
        if past is None:
            return fates
        for channel, signatures in asked.items():
            sent = {m: parse_tagged(auth, Type.DATA, channel) for m, auth in signatures.items()}
            known = self._fates_on(past, channel, sent)
            fates.update(((channel, msg_id), fate) for msg_id, fate in known.items())
        return fates

    def _fates_on(
        self, past: Past, channel: Channel, sent: Mapping[str, Tagged]
    ) -> dict[str, Fate]:
        new = None if self._end.session is None else self._end.session.id
        known = Fate.COMING if _knows(past, channel) else Fate.UNKNOWN
        of_old = {m: t.counter for m, t in sent.items() if t.session == past.session.id}
        # Those of the sessions before it, which it inherited, were to be answered first.
        fates = {m: known for m, t in sent.items() if m not in of_old and t.session != new}
        fates.update(_fates(past, channel, of_old))
        coming = [m for m, fate in fates.items() if fate is Fate.COMING]
        return fates | dict.fromkeys(coming[: _missing(past, channel)], Fate.RAN)

    def ping(self) -> bytes | None:
        """The next PING; None: there is no session. From any thread."""
        session = self._end.session
        return None if session is None else session.ping()

    def pong(self, frame: bytes) -> None:
        """Take a PONG; from any thread. Raises RemoteProtocolError."""
        self._end.pong(frame)


def _plea(channel: Channel, session: ClientSession | None, content: Mapping[str, str]) -> Plea:
    return Plea(channel, "bind_request", content, None if session is None else session.id.hex())


def _gaps_of(session: ClientSession, *, published: bool = True) -> dict[Channel, int]:
    gaps = {channel: session.lines[channel].received.gaps for channel in DATA_CHANNELS}
    if published:
        gaps[Channel.IOPUB] = session.published.counter.gaps
    return gaps


def _knows(past: Past, channel: Channel) -> bool:
    return not past.restarted and _number(past, "accepted", channel) is not None


def _number(past: Past, name: str, channel: Channel) -> int | None:
    numbers = past.account.get(name)
    value = numbers.get(channel.value) if isinstance(numbers, dict) else None
    return value if isinstance(value, int) else None


def _fates(past: Past, channel: Channel, counters: Mapping[str, int]) -> dict[str, Fate]:
    accepted = _number(past, "accepted", channel)
    if past.restarted or accepted is None:
        return dict.fromkeys(counters, Fate.UNKNOWN)
    certain = Fate.COMING if _number(past, "gaps", channel) == 0 else Fate.UNKNOWN
    return {m: certain if n <= accepted else Fate.NEVER_RAN for m, n in counters.items()}


def _missing(past: Past, channel: Channel) -> int:
    """Replies that were lost, of the first requests: they come in the requests' order."""
    received = past.session.lines[channel].received
    return received.gaps + max(0, (_number(past, "sent", channel) or 0) - received.last)
