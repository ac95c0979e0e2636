"""The kernel's end of channel-hmac.

Threads: the control thread calls `hello`, `open` on control and stdin, `bind` and `expire`; the
main thread `open` on shell; a heartbeat thread `pong`; any thread `publish` and `claim`; `seal` is
called by the thread that owns the channel's socket, and hands over what it sealed before it seals
again, so that counters go out in order (section 4). Locks, in the order in which a thread may take
them:

1. one for each (session, channel): a message is checked, verified and marked under it, and a
   counter is drawn together with its tag;
2. `publish_lock`: the list of sessions named in a PUBLISH, and its counter. Whoever publishes
   holds it until the frames are handed over.

Closing a session takes all its locks of the first kind: what was accepted before is in the account
that its successor gets, and nothing is accepted after. The table of sessions needs none: one thread
changes it, the others look up.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from minikernel.auth.channel_hmac.frames import (
    DATA_CHANNELS,
    NOBODY,
    RUN_ID,
    SESSION_ID,
    Type,
    header,
    parse_tagged,
    publication,
    published_digest,
    published_tag,
)
from minikernel.auth.channel_hmac.handshake import SECOND, HandshakeGuard
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.channel_hmac.sessions import Session, SessionLimits, SessionTable
from minikernel.auth.counter import Numbering
from minikernel.auth.locks import Lock, RLock
from minikernel.auth.rights import Right
from minikernel.auth.scheme import Sealed
from minikernel.errors import (
    ContentError,
    FramingError,
    LocalProtocolError,
    SessionNameTaken,
    TooManySessions,
    UnknownSession,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from hmac import HMAC

    from minikernel.auth.channel_hmac.session_channel import SessionChannel
    from minikernel.auth.channel_hmac.sessions import Account
    from minikernel.auth.keys import SecretKey
    from minikernel.wire.peer import Route


TAKEN = "header.session belongs to another client; take another name"


class ClientPeer(NamedTuple):
    """Who sent a message; also the address of the answer."""

    session: str  # its id in hex
    route: Route
    client_id: str
    rights: int
    admitted: bool  # False: no place is free, and it gets no answer but to bind_request
    handle: Session

    @property
    def announced(self) -> bool:
        """Only who may execute may make all others hear something."""
        return bool(self.rights & Right.EXECUTE)


class KernelEnd:
    """All channels of a kernel.

    Args:
        key: of the connection file.
        entropy: n -> n random bytes (os.urandom).
        limits: limits.
        refuse: ids of invitations that are not let in.

    Raises:
        ConfigError: the key is too short.
    """

    def __init__(
        self,
        key: SecretKey,
        *,
        entropy: Callable[[int], bytes],
        limits: SessionLimits | None = None,
        refuse: Collection[str] = (),
    ) -> None:
        self.run_id = entropy(RUN_ID)
        self.gaps: Counter[Channel] = Counter()  # counters skipped, of all sessions
        self.publish_lock = RLock()
        self._claims = Lock()
        self._limits = limits or SessionLimits()
        self._entropy = entropy
        self._guard: HandshakeGuard | None = HandshakeGuard(
            Master(key), refuse, self._limits, entropy
        )
        self._table = SessionTable(self._limits)
        self._published = Numbering()
        self._observers: tuple[tuple[bytes, HMAC], ...] = ()

    def hello(self, auth: bytes, now: float) -> bytes:
        """The CHALLENGE for a HELLO that came on control with nothing after it (section 3).

        Args:
            auth: HELLO.
            now: seconds of a monotonic clock.

        Raises:
            RemoteProtocolError: it gets no answer, and nothing has changed.
        """
        guard = self._guard
        if guard is None:
            raise LocalProtocolError("a forked child is no kernel")
        hello, credential = guard.check(auth)
        guard.admit(hello, now)
        session_id = self._free_id()
        with self.publish_lock:
            published = self._published.last
        challenge, keys = guard.answer(auth, credential, session_id, self.run_id, published)
        session = Session(session_id, credential, keys, now)
        for oldest in self._table.superfluous(session.client):
            self._close(oldest)
        self._table.add(session)
        return challenge

    def _free_id(self) -> bytes:
        while (session_id := self._entropy(SESSION_ID)) == NOBODY or session_id in self._table:
            pass
        return session_id

    def open(
        self, channel: Channel, auth: bytes, frames: Sequence[bytes], route: Route, now: float
    ) -> ClientPeer:
        """Who sent these frames (section 5, steps 2 to 6).

        Args:
            channel: where they came.
            auth: DATA.
            frames: after it.
            route: the identities before the delimiter.
            now: seconds of a monotonic clock.

        Raises:
            FramingError: not DATA of this channel.
            AuthError: nobody's, or not now, or not here. Nothing has changed.
        """
        if channel not in DATA_CHANNELS:
            raise FramingError(f"no DATA on {channel.value}")
        received = parse_tagged(auth, Type.DATA, channel)
        session, state = self._find(received.session, channel, now)
        route = tuple(route)
        with state.lock:
            if session.closed:
                raise UnknownSession("the session was closed")
            self.gaps[channel] += state.admit(received, frames, route)
            session.heard = now
            if not session.confirmed:
                self._confirm(session)
            client_id, rights = session.client
            return ClientPeer(session.hex, route, client_id, rights, session.confirmed, session)

    def _find(
        self, session_id: bytes, channel: Channel, now: float
    ) -> tuple[Session, SessionChannel]:
        """A session that is open on this channel; it may be closed until its lock is taken."""
        session = self._table.find(session_id, now)
        state = None if session is None else session.channels.get(channel)
        if session is None or state is None:
            raise UnknownSession("no such session on this channel")
        return session, state

    def _confirm(self, session: Session) -> None:
        if self._table.has_place(session):
            if self._is_taken(session.name, session):
                session.name = None  # it was claimed while there was no place
            session.confirm()
            self._list_observers()

    def _list_observers(self) -> None:
        with self.publish_lock:
            self._observers = tuple((s.id, s.publish_key) for s in self._table if s.publish_key)

    def bind(
        self, peer: ClientPeer, replaces: str | None, now: float, *, busy: bool = False
    ) -> Account | None:
        """What a bind_request on control asks for: a place, that of an older session perhaps.

        Args:
            peer: who sent it.
            replaces: the id of the older session, as the content says.
            now: seconds of a monotonic clock.
            busy: whether a request of anybody's is running, and others may be queued behind.

        Returns:
            The account of the session that was replaced, for the bind_reply; None: there was none.

        Raises:
            TooManySessions: no place is free (section 3).
            SessionNameTaken: another client has got the name of its messages meanwhile.
        """
        session = peer.handle
        if not session.confirmed and self._is_taken(session.name, session):
            raise SessionNameTaken(TAKEN)
        account = None if replaces is None else self._replace(session, replaces)
        if not session.confirmed:
            self._take_place(session, now, busy=busy)
        return account

    def leave(self, peer: ClientPeer) -> None:
        """The client says goodbye: its session is closed, and nothing can be said to it."""
        if not peer.handle.closed:
            self._close(peer.handle)

    def may_welcome(self, peer: ClientPeer, now: float) -> bool:
        """Whether a session may have one more iopub_welcome in this second, which all hear."""
        times = peer.handle.welcomed
        while times and now - times[0] >= SECOND:
            times.popleft()
        if len(times) >= self._limits.welcomes:
            return False
        times.append(now)
        return True

    def _replace(self, session: Session, replaces: str) -> Account | None:
        if session.replaced is not None and session.replaced[0].hex() == replaces:
            return session.replaced[1]  # the same bind_request once more
        old = next((s for s in self._table if s.stands_for(replaces, session.opened)), None)
        if old is None or old is session or not old.confirmed or old.client != session.client:
            return None
        if not session.confirmed:
            session.confirm()  # it inherits the place, and must be able to speak when it does
        account = self._close(old, successor=session)
        # A successor that its client has not heard of yet can tell only what it inherited.
        session.replaced = (old.id, account) if old.hex == replaces else old.replaced
        return None if session.replaced is None else session.replaced[1]

    def _take_place(self, session: Session, now: float, *, busy: bool) -> None:
        if not self._table.has_place(session):
            silent = self._table.longest_silent(session.client, now, busy=busy)
            if silent is None:
                raise TooManySessions("too many clients; try again later")
            self._close(silent)
        self._confirm(session)

    def claim(self, peer: ClientPeer, name: str) -> None:
        """Check `header.session` of a message that was opened (section 5, step 8).

        Raises:
            SessionNameTaken: it belongs to a live session of another client.
            ContentError: it is not that of the session's first message.
        """
        session = peer.handle
        with self._claims:
            if session.name is None:
                if self._is_taken(name, session):
                    raise SessionNameTaken(TAKEN)
                session.name = name
            if session.name != name:
                raise ContentError("header.session is not this client's")

    def _is_taken(self, name: str | None, session: Session) -> bool:
        """Whether a live session of another client has this name."""
        live = (other for other in self._table if other.confirmed)
        return name is not None and any(
            other.name == name and other.client != session.client for other in live
        )

    def seal(self, channel: Channel, frames: Sequence[bytes], to: ClientPeer) -> Sealed | None:
        """Seal a message for the peer's session, or for the one that replaced it.

        The caller hands it over before it seals the next one for this channel: a socket has one
        owner, whose thread does both.

        Returns:
            What goes before the frames; None: the session has no route on this channel yet, keep
            the message until one of its messages came there.

        Raises:
            UnknownSession: the session is gone, and nothing can be said to it any more.
            LocalProtocolError: in a forked child.
        """
        self._refuse_in_child()
        session = to.handle
        while True:
            state = session.channels.get(channel)
            if state is not None:
                with state.lock:
                    if not session.closed:
                        if state.route is None:
                            return None
                        return Sealed(state.route, state.seal(frames))
            if session.successor is None:
                raise UnknownSession("the session is gone")
            session = session.successor

    def current(self, peer: ClientPeer) -> str | None:
        """The id of the session that gets what is said to this peer; None: it is gone."""
        session = peer.handle.successor or peer.handle
        return None if session.closed else session.hex

    def publish(self, topic: bytes, frames: Sequence[bytes]) -> bytes:
        """PUBLISH with a tag for each session that observes; hold `publish_lock` around it.

        Raises:
            LocalProtocolError: in a forked child.
        """
        self._refuse_in_child()
        with self.publish_lock:
            run = self.run_id[:SESSION_ID]
            head = header(Type.PUBLISH, Channel.IOPUB, run, self._published.draw())
            digest = published_digest(head, topic, frames)
            return publication(
                head,
                [(sid, published_tag(key, digest)) for sid, key in self._observers],
            )

    def pong(self, ping: bytes, now: float) -> bytes:
        """The PONG for a PING, which came by any route: it goes back by the same.

        Raises:
            RemoteProtocolError: it is no PING of an open session. Nothing has changed.
        """
        received = parse_tagged(ping, Type.PING, Channel.HEARTBEAT)
        session, state = self._find(received.session, Channel.HEARTBEAT, now)
        with state.lock:
            if session.closed:
                raise UnknownSession("the session was closed")
            self.gaps[Channel.HEARTBEAT] += state.admit(received, None)
            session.heard = now
            return state.tagged(Type.PONG, received.counter)

    def expire(self, now: float) -> list[str]:
        """Drop the sessions that nobody confirmed or used (section 3); call it now and then.

        Not while any request is queued or running: its session must stay.

        Args:
            now: seconds of a monotonic clock.

        Returns:
            The ids of those that were confirmed.
        """
        idle = [s for s in self._table if self._table.is_idle(s, now)]
        stale = [s for s in self._table if self._table.is_stale(s, now)]
        for session in (*idle, *stale):
            self._close(session)
        return [session.hex for session in idle]

    def _close(self, session: Session, successor: Session | None = None) -> Account:
        account = session.close(successor)
        self._table.remove(session)
        self._list_observers()
        return account

    def forget(self) -> None:
        """In the child after a fork: forget all keys, and send nothing (section 4).

        It takes no lock: a thread that the child does not have may hold it.
        """
        self._guard = None
        sessions, self._table = list(self._table), SessionTable(self._limits)
        for session in sessions:
            session.forget()
        self._observers = ()

    def _refuse_in_child(self) -> None:
        if self._guard is None:
            raise LocalProtocolError("a forked child is no kernel")
