"""The kernel's end of channel-hmac.

Threads: the control thread calls `hello`, `open` on control and stdin, `bind` and `expire`; the
main thread `open` on shell; a heartbeat thread `pong`; any thread `publish` and `claim`; `seal` is
called by the thread that owns the channel's socket, and hands over what it sealed before it seals
again, so that counters go out in order (section 4). Locks, in the order in which a thread may take
them:

1. one for each (session, channel): a message is checked, verified and marked under it, and a
   counter is drawn together with its tag;
2. `publishing`: the list of sessions that stand in a PUBLISH, and its counter. Whoever publishes
   holds it until the frames are handed over.

Closing a session takes all its locks of the first kind: what was accepted before is in the account
that its heir gets, and nothing is accepted after. The table of sessions needs none: one thread
changes it, the others look up.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from minikernel.auth.channel_hmac_frames import (
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
from minikernel.auth.channel_hmac_hello import Doorkeeper
from minikernel.auth.channel_hmac_keys import Master
from minikernel.auth.channel_hmac_sessions import Places, Session, SessionTable
from minikernel.auth.counter import Numbering
from minikernel.auth.scheme import Sealed
from minikernel.errors import (
    ContentError,
    FramingError,
    LocalProtocolError,
    TooManySessions,
    UnknownSession,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from hmac import HMAC

    from minikernel.auth.channel_hmac_line import Line, Route
    from minikernel.auth.channel_hmac_sessions import Account
    from minikernel.auth.keys import SecretKey


class ClientPeer(NamedTuple):
    """Who sent a message; also the address of the answer."""

    session: str  # its id in hex
    route: Route
    client_id: str
    rights: int
    admitted: bool  # False: no place is free, and it gets no answer but to bind_request
    handle: Session


class KernelEnd:
    """All channels of a kernel.

    Args:
        key: of the connection file.
        entropy: so many random bytes.
        places: limits.
        refuse: ids of invitations that are not let in.

    Raises:
        ConfigError: the key is too short.
    """

    def __init__(
        self,
        key: SecretKey,
        *,
        entropy: Callable[[int], bytes],
        places: Places | None = None,
        refuse: Collection[str] = (),
    ) -> None:
        self.run_id = entropy(RUN_ID)
        self.gaps: Counter[Channel] = Counter()  # counters skipped, of all sessions
        self.publishing = threading.RLock()
        self._claims = threading.Lock()
        self._places = places or Places()
        self._entropy = entropy
        self._doorkeeper: Doorkeeper | None = Doorkeeper(Master(key), refuse, self._places, entropy)
        self._table = SessionTable(self._places)
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
        doorkeeper = self._doorkeeper
        if doorkeeper is None:
            raise LocalProtocolError("a forked child is no kernel")
        hello, credential = doorkeeper.check(auth)
        doorkeeper.admit(hello, now)
        session_id = self._free_id()
        with self.publishing:
            published = self._published.last
        challenge, keys = doorkeeper.answer(auth, credential, session_id, self.run_id, published)
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
        session, line = self._find(received.session, channel, now)
        route = tuple(route)
        with line.lock:
            if session.closed:
                raise UnknownSession("the session was closed")
            self.gaps[channel] += line.admit(received, frames, route)
            session.heard = now
            if not session.confirmed:
                self._confirm(session)
            client_id, rights = session.client
            return ClientPeer(session.hex, route, client_id, rights, session.confirmed, session)

    def _find(self, session_id: bytes, channel: Channel, now: float) -> tuple[Session, Line]:
        """A session that is open on this channel; it may be closed until its lock is taken."""
        session = self._table.find(session_id, now)
        line = None if session is None else session.lines.get(channel)
        if session is None or line is None:
            raise UnknownSession("no such session on this channel")
        return session, line

    def _confirm(self, session: Session) -> None:
        if self._table.has_place(session):
            session.confirm()
            self._list_observers()

    def _list_observers(self) -> None:
        with self.publishing:
            self._observers = tuple((s.id, s.publishing) for s in self._table if s.publishing)

    def bind(self, peer: ClientPeer, replaces: str | None, now: float) -> Account | None:
        """What a bind_request on control asks for: a place, that of an older session perhaps.

        Args:
            peer: who sent it.
            replaces: the id of the older session, as the content says.
            now: seconds of a monotonic clock.

        Returns:
            The account of the session that was replaced, for the bind_reply; None: there was none.

        Raises:
            TooManySessions: no place is free (section 3).
        """
        session = peer.handle
        account = None if replaces is None else self._replace(session, replaces)
        if not session.confirmed:
            self._take_place(session, now)
        return account

    def _replace(self, session: Session, replaces: str) -> Account | None:
        if session.replaced is not None and session.replaced[0].hex() == replaces:
            return session.replaced[1]  # the same bind_request once more
        old = next((s for s in self._table if s.stands_for(replaces, session.opened)), None)
        if old is None or old is session or not old.confirmed or old.client != session.client:
            return None
        if not session.confirmed:
            session.confirm()  # it inherits the place, and must be able to speak when it does
        account = self._close(old, heir=session)
        # An heir that its client has not heard of yet has nothing to tell but what it inherited.
        session.replaced = (old.id, account) if old.hex == replaces else old.replaced
        return None if session.replaced is None else session.replaced[1]

    def _take_place(self, session: Session, now: float) -> None:
        if not self._table.has_place(session):
            silent = self._table.longest_silent(session.client, now)
            if silent is None:
                raise TooManySessions("too many clients; try again later")
            self._close(silent)
        self._confirm(session)

    def claim(self, peer: ClientPeer, name: str) -> None:
        """Check `header.session` of a message that was opened (section 5, step 8).

        Raises:
            ContentError: it is not that of the session's first message, or another client's.
        """
        session = peer.handle
        with self._claims:
            if session.name is None and not self._belongs_to_another(name, session):
                session.name = name
            if session.name != name:
                raise ContentError("header.session is not this client's")

    def _belongs_to_another(self, name: str, session: Session) -> bool:
        return any(
            other.name == name and other.client != session.client
            for other in self._table
            if other.confirmed
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
            line = session.lines.get(channel)
            if line is not None:
                with line.lock:
                    if not session.closed:
                        if line.route is None:
                            return None
                        return Sealed(line.route, line.seal(frames))
            if session.heir is None:
                raise UnknownSession("the session is gone")
            session = session.heir

    def current(self, peer: ClientPeer) -> str | None:
        """The id of the session that gets what is said to this peer; None: it is gone."""
        session = peer.handle.heir or peer.handle
        return None if session.closed else session.hex

    def publish(self, topic: bytes, frames: Sequence[bytes]) -> bytes:
        """PUBLISH with a tag for each session that observes; hold `publishing` around it.

        Raises:
            LocalProtocolError: in a forked child.
        """
        self._refuse_in_child()
        with self.publishing:
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
        session, line = self._find(received.session, Channel.HEARTBEAT, now)
        with line.lock:
            if session.closed:
                raise UnknownSession("the session was closed")
            self.gaps[Channel.HEARTBEAT] += line.admit(received, None)
            session.heard = now
            return line.tagged(Type.PONG, received.counter)

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

    def _close(self, session: Session, heir: Session | None = None) -> Account:
        account = session.close(heir)
        self._table.remove(session)
        self._list_observers()
        return account

    def forget(self) -> None:
        """In the child after a fork: forget all keys, and send nothing (section 4).

        It takes no lock: a thread that the child does not have may hold it.
        """
        self._doorkeeper = None
        sessions, self._table = list(self._table), SessionTable(self._places)
        for session in sessions:
            session.forget()
        self._observers = ()

    def _refuse_in_child(self) -> None:
        if self._doorkeeper is None:
            raise LocalProtocolError("a forked child is no kernel")
