"""The client's end of channel-hmac.

Any thread may seal and open, on each channel one at a time. Shaking hands belongs to one thread.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.frames import (
    DATA_CHANNELS,
    NONCE,
    RUN_ID,
    Type,
    keyed,
    mac,
    parse_challenge,
    parse_publication,
    parse_tagged,
    published_digest,
    published_tag,
    unsigned_hello,
)
from minikernel.auth.channel_hmac.keys import Direction, SessionKeys
from minikernel.auth.channel_hmac.session_channel import SessionChannel
from minikernel.auth.counter import Counter
from minikernel.auth.locks import Lock
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    FramingError,
    LocalProtocolError,
    NoTag,
    ReplayedCounter,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minikernel.auth.channel_hmac.frames import Challenge, Publication, Tagged
    from minikernel.auth.channel_hmac.keys import Credential

MAX_PINGS = 64  # outstanding; the oldest are given up
CHANNELS = (*DATA_CHANNELS, Channel.HEARTBEAT)


class Published:
    """The counter of a kernel run's PUBLISHes; the sessions of a client in that run share it."""

    def __init__(self, last: int) -> None:
        self.lock = Lock()
        self.counter = Counter(last, from_start=False)


class ClientSession:
    """One session with a kernel.

    Args:
        challenge: the CHALLENGE that opened it, verified.
        keys: of the session.
        published: of the run.
    """

    def __init__(self, challenge: Challenge, keys: SessionKeys, published: Published) -> None:
        self.id = challenge.session
        self.run_id = challenge.run_id
        self.name: str | None = None  # header.session in it; None: the client's first
        self.published = published
        self.channels = {c: SessionChannel(self.id, c, keys, Direction.TO_KERNEL) for c in CHANNELS}
        self._publish_key = keyed(keys.key(Channel.IOPUB, Direction.TO_CLIENT))
        self._pings: list[int] = []

    def seal(self, channel: Channel, frames: Sequence[bytes]) -> bytes:
        """DATA; to be handed over before the next message of this channel is sealed."""
        if channel not in DATA_CHANNELS:
            raise LocalProtocolError(f"no DATA on {channel.value}")
        return self.channels[channel].seal(frames)

    def open(self, channel: Channel, received: Tagged, frames: Sequence[bytes]) -> None:
        """Check, verify and mark DATA of this session.

        Raises:
            AuthError: nothing has changed.
        """
        state = self.channels[channel]
        with state.lock:
            state.admit(received, frames)

    def open_publication(
        self, received: Publication, tag: bytes, topic: bytes, frames: Sequence[bytes]
    ) -> None:
        """Check, verify and mark a PUBLISH of this session's run, with the tag in our entry.

        Raises:
            AuthError: nothing has changed.
        """
        with self.published.lock:
            self.published.counter.check(received.counter)
            digest = published_digest(received.header, topic, frames)
            if not hmac.compare_digest(published_tag(self._publish_key, digest), tag):
                raise BadSignature("the tag does not match")
            self.published.counter.mark(received.counter)

    def ping(self) -> bytes:
        """The next PING."""
        state = self.channels[Channel.HEARTBEAT]
        with state.lock:
            ping = state.ping()
            self._pings = [*self._pings, state.sent.last][-MAX_PINGS:]
            return ping

    def pong(self, received: Tagged) -> int:
        """The counter of the PING that this PONG of this session answers.

        Raises:
            AuthError: it answers none that is outstanding. Nothing has changed.
        """
        state = self.channels[Channel.HEARTBEAT]
        with state.lock:
            if received.counter not in self._pings:
                raise ReplayedCounter("no such PING is outstanding")
            state.admit(received, None)
            self._pings = [n for n in self._pings if n > received.counter]
            return received.counter


class ClientEnd:
    """All channels of a client: the session in force, and the one that is to take its place.

    Args:
        credential: the owner's or an invitation's.
        entropy: n -> n random bytes (os.urandom).
    """

    def __init__(self, credential: Credential, *, entropy: Callable[[int], bytes]) -> None:
        self._credential: Credential | None = credential
        self._entropy = entropy
        self._hello: bytes | None = None
        self._has_met = False  # any kernel
        self.session: ClientSession | None = None  # in force
        self.candidate: ClientSession | None = None  # not bound yet

    def hello(self) -> bytes:
        """A new HELLO; from now on only its CHALLENGE counts."""
        credential = self._known()
        unsigned = unsigned_hello(self._entropy(NONCE), credential.rights, credential.client_id)
        self._hello = unsigned + mac(credential.hello_key, unsigned)
        return self._hello

    def _known(self) -> Credential:
        if self._credential is None:
            raise LocalProtocolError("a forked child is no client")
        return self._credential

    def challenge(self, auth: bytes) -> ClientSession:
        """The session that a CHALLENGE opens; it is the candidate until `bound`.

        Raises:
            FramingError: it is none.
            ChallengeError: no HELLO waits for one.
            BadSignature: not by a kernel that holds the key, or not for our latest HELLO.
        """
        challenge = parse_challenge(auth)
        if self._hello is None:
            raise ChallengeError("no HELLO is outstanding")
        credential = self._known()
        expected = mac(credential.challenge_key, self._hello, challenge.signed)
        if not hmac.compare_digest(expected, challenge.tag):
            raise BadSignature("the tag of CHALLENGE does not match")
        keys = SessionKeys(credential.psk, self._hello, auth)
        self._hello = None  # a CHALLENGE opens one session: its counters start once
        self.candidate = ClientSession(challenge, keys, self._published(challenge))
        if self._has_met:  # somebody who heard the name before could have taken it meanwhile
            self.candidate.name = self.fresh_name()
        self._has_met = True
        return self.candidate

    def fresh_name(self) -> str:
        """A name for header.session that nobody has heard yet."""
        return self._entropy(RUN_ID).hex()

    def _published(self, challenge: Challenge) -> Published:
        """What an earlier session has seen of the same run is not new for the next one."""
        for session in (self.session, self.candidate):
            if session is not None and session.run_id == challenge.run_id:
                return session.published
        return Published(challenge.published)

    def bound(self) -> None:
        """The candidate got its bind_reply on control: it is in force, the session before ends."""
        self.session, self.candidate = self.candidate or self.session, None

    def forget(self) -> None:
        """In the child after a fork: forget all keys, and send nothing (section 4)."""
        self._credential = self._hello = self.session = self.candidate = None

    def open(
        self, channel: Channel, auth: bytes, frames: Sequence[bytes], route: Sequence[bytes]
    ) -> Address:
        """The session in which a kernel sent these frames (section 5, steps 2 to 6).

        Args:
            channel: where they came.
            auth: DATA, on iopub PUBLISH.
            frames: after it.
            route: what is before the delimiter; on iopub the topic alone.

        Raises:
            RemoteProtocolError: not by the kernel, or not now, or not here. Nothing has changed.
        """
        if channel is Channel.IOPUB:
            return self._open_publication(auth, frames, route)
        if channel not in DATA_CHANNELS:
            raise FramingError(f"no DATA on {channel.value}")
        received = parse_tagged(auth, Type.DATA, channel)
        session = self._find(received.session)
        session.open(channel, received, frames)
        return Address(tuple(route), session.id.hex())

    def _open_publication(
        self, auth: bytes, frames: Sequence[bytes], route: Sequence[bytes]
    ) -> Address:
        received = parse_publication(auth)
        if len(route) != 1:
            raise FramingError("not one topic")
        own = [s for s in self._sessions() if s.run_id.startswith(received.run)]
        if not own:
            raise UnknownSession("another run's")
        for session in own:
            tag = received.tag_for(session.id)
            if tag is not None:
                session.open_publication(received, tag, route[0], frames)
                return Address(tuple(route), session.id.hex())
        raise NoTag("not signed for us")

    def pong(self, auth: bytes) -> int:
        """The counter of the PING that this PONG answers. Raises RemoteProtocolError."""
        received = parse_tagged(auth, Type.PONG, Channel.HEARTBEAT)
        return self._find(received.session).pong(received)

    def _find(self, session_id: bytes) -> ClientSession:
        session = next((s for s in self._sessions() if s.id == session_id), None)
        if session is None:
            raise UnknownSession("no session of ours")
        return session

    def _sessions(self) -> tuple[ClientSession, ...]:
        """The newest first: it is to learn of its welcome."""
        return tuple(s for s in (self.candidate, self.session) if s is not None)
