"""The client's end of channel-hmac.

Any thread may seal and open, on each channel one at a time. Shaking hands belongs to one thread.
"""

from __future__ import annotations

import hmac
import threading
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac_frames import (
    DATA_CHANNELS,
    NONCE,
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
from minikernel.auth.channel_hmac_keys import Direction, SessionKeys
from minikernel.auth.channel_hmac_line import Line
from minikernel.auth.counter import Counter
from minikernel.auth.scheme import Address
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minikernel.auth.channel_hmac_frames import Challenge, Publication, Tagged
    from minikernel.auth.channel_hmac_keys import Credential

FIRST_RETRY = 0.2  # seconds
LAST_RETRY = 5.0
MAX_PINGS = 64  # outstanding; the oldest are given up
CHANNELS = (*DATA_CHANNELS, Channel.HEARTBEAT)


def retry_delay(hellos: int) -> float:
    """Seconds to wait for a CHALLENGE after so many HELLOs, at least 1 (section 3)."""
    return float(min(FIRST_RETRY * 2.0 ** min(hellos - 1, 10), LAST_RETRY))


class Published:
    """The counter of a kernel run's PUBLISHes; the sessions of a client in that run share it."""

    def __init__(self, last: int) -> None:
        self.lock = threading.Lock()
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
        self.published = published
        self.lines = {c: Line(self.id, c, keys, Direction.TO_KERNEL) for c in CHANNELS}
        self._publishing = keyed(keys.key(Channel.IOPUB, Direction.TO_CLIENT))
        self._pings: list[int] = []

    def seal(self, channel: Channel, frames: Sequence[bytes]) -> bytes:
        """DATA; to be handed over before the next message of this channel is sealed."""
        if channel not in DATA_CHANNELS:
            raise LocalProtocolError(f"no DATA on {channel.value}")
        return self.lines[channel].seal(frames)

    def open(self, channel: Channel, received: Tagged, frames: Sequence[bytes]) -> None:
        """Check, verify and mark DATA of this session.

        Raises:
            AuthError: nothing has changed.
        """
        line = self.lines[channel]
        with line.lock:
            line.admit(received, frames)

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
            if not hmac.compare_digest(published_tag(self._publishing, digest), tag):
                raise BadSignature("the tag does not match")
            self.published.counter.mark(received.counter)

    def ping(self) -> bytes:
        """The next PING."""
        line = self.lines[Channel.HEARTBEAT]
        with line.lock:
            ping = line.ping()
            self._pings = [*self._pings, line.sent.last][-MAX_PINGS:]
            return ping

    def pong(self, received: Tagged) -> int:
        """The counter of the PING that this PONG of this session answers.

        Raises:
            AuthError: it answers none that is outstanding. Nothing has changed.
        """
        line = self.lines[Channel.HEARTBEAT]
        with line.lock:
            if received.counter not in self._pings:
                raise ReplayedCounter("no such PING is outstanding")
            line.admit(received, None)
            self._pings = [n for n in self._pings if n > received.counter]
            return received.counter


class ClientEnd:
    """All channels of a client: the session in force, and the one that shall take its place.

    Args:
        credential: the owner's or an invitation's.
        entropy: so many random bytes.
    """

    def __init__(self, credential: Credential, *, entropy: Callable[[int], bytes]) -> None:
        self._credential = credential
        self._entropy = entropy
        self._hello: bytes | None = None
        self.session: ClientSession | None = None  # in force
        self.candidate: ClientSession | None = None  # not bound yet

    def hello(self) -> bytes:
        """A new HELLO; from now on only its CHALLENGE counts."""
        unsigned = unsigned_hello(
            self._entropy(NONCE), self._credential.rights, self._credential.client_id
        )
        self._hello = unsigned + mac(self._credential.hello_key, unsigned)
        return self._hello

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
        expected = mac(self._credential.challenge_key, self._hello, challenge.signed)
        if not hmac.compare_digest(expected, challenge.tag):
            raise BadSignature("the tag of CHALLENGE does not match")
        keys = SessionKeys(self._credential.psk, self._hello, auth)
        self._hello = None  # a CHALLENGE opens one session: its counters start once
        self.candidate = ClientSession(challenge, keys, self._published(challenge))
        return self.candidate

    def _published(self, challenge: Challenge) -> Published:
        """What an earlier session has seen of the same run is not new for the next one."""
        for session in (self.session, self.candidate):
            if session is not None and session.run_id == challenge.run_id:
                return session.published
        return Published(challenge.published)

    def bound(self) -> None:
        """The candidate got its bind_reply on control: it is in force, the session before ends."""
        self.session, self.candidate = self.candidate or self.session, None

    def open(
        self, channel: Channel, auth: bytes, frames: Sequence[bytes], route: Sequence[bytes]
    ) -> Address:
        """The session in which a kernel sent these frames (section 5, steps 2 to 6).

        Args:
            channel: where they came.
            auth: DATA, on iopub PUBLISH.
            frames: after it.
            route: what stands before the delimiter; on iopub the topic alone.

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
