"""The kernel's sessions of channel-hmac, and for how many there is a place (section 3)."""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from minikernel.auth.channel_hmac.frames import DATA_CHANNELS, MAX_ENTRIES, keyed
from minikernel.auth.channel_hmac.keys import Direction
from minikernel.auth.channel_hmac.session_channel import SessionChannel
from minikernel.auth.rights import OWNER_ID, Right
from minikernel.errors import ConfigError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from hmac import HMAC

    from minikernel.auth.channel_hmac.keys import Credential, SessionKeys

REST = (Channel.SHELL, Channel.STDIN, Channel.HEARTBEAT)  # for confirmed sessions only


INVITED = 16


@dataclass(frozen=True, kw_only=True)
class SessionLimits:
    """How many sessions there may be, and for how long.

    Raises:
        ConfigError: more sessions than one PUBLISH has room for.
    """

    sessions: int = 32
    of_one: int = 4  # of one (id, rights) other than the owner
    silence: float = 10.0  # seconds after which a session may be replaced at a limit
    silence_at_work: float = 30.0  # the same, while one of its requests may be queued or running
    idle: float = 900.0  # seconds after which a session is dropped
    unconfirmed: int = 64  # of one (id, rights)
    unconfirmed_age: float = 10.0  # seconds
    challenges: int = 50  # a second, of one (id, rights)
    welcomes: int = 5  # a second, of one session
    nonces: int = 4096  # remembered, of one (id, rights)

    @property
    def invited(self) -> int:
        """How many of them all invitations together may have."""
        return min(INVITED, self.sessions // 2)

    def __post_init__(self) -> None:
        if not 1 <= self.sessions <= MAX_ENTRIES:
            raise ConfigError(f"there may be 1 to {MAX_ENTRIES} sessions")


class Client(NamedTuple):
    """Whose sessions count together."""

    client_id: str
    rights: int


class Account(NamedTuple):
    """What became of a session that another replaces, by channel: the content of bind_reply."""

    accepted: dict[str, int]  # the last counter accepted
    gaps: dict[str, int]  # how many counters were skipped
    sent: dict[str, int]  # the last counter sent


class Session:
    """One session, confirmed or not.

    Args:
        session_id: 8 bytes.
        credential: of its client.
        keys: of the session.
        now: seconds of a monotonic clock.
    """

    def __init__(
        self, session_id: bytes, credential: Credential, keys: SessionKeys, now: float
    ) -> None:
        self.id = session_id
        self.hex = session_id.hex()
        self.client = Client(credential.client_id, credential.rights)
        self.opened = now
        self.heard = now  # the last authenticated traffic
        self.welcomed: deque[float] = deque()  # when, lately
        self.confirmed = False  # and so it has a place
        self.closed = False
        self.successor: Session | None = None  # the session that replaced it
        self.name: str | None = None  # header.session of its messages
        self.inherited: Counter[Channel] = Counter()  # gaps of the sessions that it replaced
        self.replaced: tuple[bytes, Account] | None = None  # which it replaced
        self.predecessors: weakref.WeakSet[Session] = weakref.WeakSet()
        self.publish_key: HMAC | None = None  # signs its tags in a PUBLISH, if it gets any
        self._keys = keys
        self.channels = {Channel.CONTROL: self._channel(Channel.CONTROL)}

    @property
    def invited(self) -> bool:
        """Whether it is not the owner's."""
        return self.client.client_id != OWNER_ID

    def stands_for(self, name: str, opened: float) -> bool:
        """Whether this is the session of that id, or its successor of which the client never heard.

        A client whose connection was cut before the bind_reply came names the older session again.

        Args:
            name: the id in hex.
            opened: when the one that asks was; a belated one does not take an successor's place.
        """
        if self.replaced is None or self.replaced[0].hex() != name:
            return self.hex == name
        if opened < self.opened:
            return False
        return all(
            self.channels[channel].route is None for channel in (Channel.SHELL, Channel.STDIN)
        )

    def confirm(self) -> None:
        """Take a place: open the other channels."""
        rest = {channel: self._channel(channel) for channel in REST}
        if self.client.rights & Right.OBSERVE:
            self.publish_key = keyed(self._keys.key(Channel.IOPUB, Direction.TO_CLIENT))
        self.confirmed = True
        # Last: who finds a line in another thread must not confirm, and count from 0, once more.
        self.channels.update(rest)

    def _channel(self, channel: Channel) -> SessionChannel:
        return SessionChannel(self.id, channel, self._keys, Direction.TO_CLIENT)

    def close(self, successor: Session | None = None) -> Account:
        """Accept and send nothing more; with all the locks that admitting and sending take."""
        with contextlib.ExitStack() as locks:
            for state in self.channels.values():
                locks.enter_context(state.lock)
            self.successor = successor
            self.closed = True
            if successor is not None:
                self._hand_on(successor)
            return self._account()

    def _hand_on(self, successor: Session) -> None:
        """Let the successor answer whoever still waits for us, or for those before us."""
        successor.inherited += self.gaps
        for session in (*self.predecessors, self):
            session.successor = successor
            successor.predecessors.add(session)

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Counters that were skipped, in this session and in those that it replaced."""
        return Counter(
            {c: self.inherited[c] + state.received.gaps for c, state in self.channels.items()}
        )

    def forget(self) -> None:
        """Forget the keys; takes no lock."""
        self.closed = True
        self.channels = {}
        self.publish_key = None
        del self._keys

    def _account(self) -> Account:
        states = {c.value: self.channels[c] for c in DATA_CHANNELS if c in self.channels}
        return Account(
            {name: state.received.last for name, state in states.items()},
            {name: state.received.gaps for name, state in states.items()},
            {name: state.sent.last for name, state in states.items()},
        )


class SessionTable:
    """All sessions of a kernel. Only the control thread changes it."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._sessions: dict[bytes, Session] = {}  # in the order of their opening

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def __contains__(self, session_id: bytes) -> bool:
        return session_id in self._sessions

    def find(self, session_id: bytes, now: float) -> Session | None:
        """The session with this id, unless it is gone."""
        session = self._sessions.get(session_id)
        return None if session is None or self.is_stale(session, now) else session

    def is_stale(self, session: Session, now: float) -> bool:
        """Whether nobody has confirmed it in time."""
        return not session.confirmed and now - session.opened >= self._limits.unconfirmed_age

    def is_idle(self, session: Session, now: float) -> bool:
        """Whether nothing came for long."""
        return session.confirmed and now - session.heard >= self._limits.idle

    def add(self, session: Session) -> None:
        """A new session, unconfirmed."""
        self._sessions[session.id] = session

    def remove(self, session: Session) -> None:
        """Forget a session."""
        self._sessions.pop(session.id, None)

    def superfluous(self, client: Client) -> list[Session]:
        """The oldest unconfirmed sessions of a client, so that there is room for one more."""
        own = [s for s in self if s.client == client and not s.confirmed]
        return own[: max(0, len(own) + 1 - self._limits.unconfirmed)]

    def has_place(self, newcomer: Session) -> bool:
        """Whether no limit forbids one more session of this client."""
        confirmed = [s for s in self if s.confirmed]
        if len(confirmed) >= self._limits.sessions:
            return False
        if not newcomer.invited:
            return True
        of_one = sum(s.client == newcomer.client for s in confirmed)
        invited = sum(s.invited for s in confirmed)
        return invited < self._limits.invited and of_one < self._limits.of_one

    def longest_silent(self, client: Client, now: float, *, busy: bool) -> Session | None:
        """The session of this client that one more may take the place of.

        Args:
            client: whose.
            now: seconds of a monotonic clock.
            busy: whether a request of anybody's is running, and others may be queued behind.
        """
        silence = self._limits.silence_at_work if busy else self._limits.silence
        silent = [
            s for s in self if s.confirmed and s.client == client and now - s.heard >= silence
        ]
        return min(silent, key=lambda s: s.heard, default=None)
