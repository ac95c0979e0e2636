"""The thread's proposal of 2011: `multiprocessing`'s one-time challenge, on ROUTER and DEALER.

On shell, control and stdin each identity is challenged once, mutually, and trusted from then on;
on iopub nobody can be. Afterwards the signature frame is empty: what follows is not covered, and
whoever takes over the identity is the client. docs/challenge.md says what that lets through. This
is the kernel's end; the client's is in challenge_once_client.

Each line is one frame after the delimiter. A ROUTER knows nobody who has not spoken, so the client
knocks first; then it is `Listener` and `Client` of `multiprocessing.connection`:

    client -> kernel   #KNOCK#
    kernel -> client   #CHALLENGE#{sha256} nonce
    client -> kernel   {sha256} HMAC
    kernel -> client   #WELCOME#                    or #FAILURE#
    client -> kernel   #CHALLENGE#{sha256} nonce
    kernel -> client   {sha256} HMAC
    client -> kernel   #WELCOME#                    now the kernel trusts the identity
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from minikernel.auth.challenge import MAX_MESSAGE, SHA256, Challenger, Responder
from minikernel.auth.hkdf import extract
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import CHALLENGE_ONCE
from minikernel.auth.scheme import Address, Sealed
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    ConfigError,
    FramingError,
    UnknownSession,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.scheme import Peer, Route

    Entropy = Callable[[int], bytes]

SALT = b"minikernel challenge-once 1"
KNOCK = b"#KNOCK#"
CHANNELS = (Channel.CONTROL, Channel.STDIN, Channel.SHELL)
MAX_TRUSTED = 1024  # identities of a channel; the longest silent goes
MAX_HANDSHAKES = 256  # in progress on a channel; the one that stands still longest goes
LIFETIME = 3600.0  # seconds between two steps: on shell, cells run meanwhile
MAX_IDENTITY = 255  # bytes, ZeroMQ's limit


def challenge_key(key: SecretKey) -> SecretKey:
    """The key of the challenges (channel-hmac, section 1).

    Raises:
        ConfigError: an empty key.
    """
    if not key:
        raise ConfigError("the connection file has an empty key: put a random one in")
    return SecretKey(extract(SALT, key.reveal()))


class ChallengeOnce:
    """What both ends have in common: after the handshake there is nothing.

    Args:
        key: the connection file's key.
        entropy: so many random bytes.

    Raises:
        ConfigError: an empty key.
    """

    name = CHALLENGE_ONCE
    own_types: frozenset[str] = frozenset()
    gaps: ClassVar[Mapping[Channel, int]] = MappingProxyType({})

    def __init__(self, key: SecretKey, *, entropy: Entropy) -> None:
        self._key = challenge_key(key)
        self._entropy = entropy

    def permit(self, peer: Peer, msg_type: str, session: str) -> None:
        """A trusted identity may say anything, in anybody's name."""


class KernelChallengeOnce(ChallengeOnce):
    """All channels of a kernel. Nothing is shared by two channels, so each may have its thread.

    Args:
        key: the connection file's key.
        entropy: so many random bytes.
        clock: seconds, monotonic.

    Raises:
        ConfigError: an empty key.
    """

    def __init__(self, key: SecretKey, *, entropy: Entropy, clock: Callable[[], float]) -> None:
        super().__init__(key, entropy=entropy)
        self._clock = clock
        self._doors = {channel: Door(self._key, entropy) for channel in CHANNELS}

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:  # noqa: ARG002 - nothing is covered
        """Nothing, on the way by which the peer came."""
        return Sealed(to.route, b"")

    def open(
        self,
        channel: Channel,
        signature: bytes,
        frames: Sequence[bytes],  # noqa: ARG002 - likewise
        route: Route,
    ) -> Peer:
        """Somebody behind an identity that was challenged once.

        Raises:
            BadSignature: there is a signature, so it belongs to another scheme.
            UnknownSession: the identity was not challenged, or longer ago than is remembered.
        """
        if signature:
            raise BadSignature("this scheme signs nothing")
        self._door(channel).admit(_identity(route))
        return Address(route)

    def greet(self, channel: Channel, frame: bytes, route: Route) -> bytes | None:
        """Take the next step of an identity's handshake; the answer.

        Raises:
            FramingError: no handshake has such a frame, or none is on this channel.
            ChallengeError: it proves nothing, or was not asked for; what was in progress is over.
        """
        if len(frame) > MAX_MESSAGE:
            raise FramingError("too long for a handshake")
        return self._door(channel).greet(_identity(route), frame, self._clock())

    def _door(self, channel: Channel) -> Door:
        door = self._doors.get(channel)
        if door is None:
            raise FramingError(f"nobody is challenged on {channel.value}")
        return door


def _identity(route: Route) -> bytes:
    """The only one: what a stranger puts before the delimiter is kept, and so must be small."""
    if len(route) != 1 or len(route[0]) > MAX_IDENTITY:
        raise FramingError("not the one identity of a connection")
    return route[0]


class Door:
    """Who may speak on one channel, and who is about to be.

    A stranger can push out handshakes that are in progress, never an identity that is trusted.
    """

    def __init__(self, key: SecretKey, entropy: Entropy) -> None:
        self._key = key
        self._entropy = entropy
        self._handshakes: dict[bytes, Handshake] = {}  # the last step longest ago first
        self._trusted: dict[bytes, None] = {}  # likewise, the longest silent first

    def admit(self, identity: bytes) -> None:
        """See that an identity is trusted. Raises UnknownSession."""
        if identity not in self._trusted:
            raise UnknownSession("an identity that was not challenged")
        self._trust(identity)

    def greet(self, identity: bytes, frame: bytes, now: float) -> bytes | None:
        """The answer to a frame of a handshake. Raises ChallengeError."""
        self._expire(now)
        if frame == KNOCK:
            return self._challenge(identity, now)
        handshake = self._handshakes.pop(identity, None)
        if handshake is None:
            raise ChallengeError("nobody has asked for that")
        answer = handshake.take(frame)  # if it raises, the handshake is over
        if answer is None:
            self._trust(identity)
        else:
            self._keep(identity, handshake, now)
        return answer

    def _challenge(self, identity: bytes, now: float) -> bytes:
        """Knocks may queue up while a cell runs: as long as no answer came they ask for one."""
        handshake = self._handshakes.get(identity)
        if handshake is None or handshake.answered:
            self._handshakes.pop(identity, None)
            handshake = Handshake(self._key, self._entropy(SHA256.nonce_length))
            self._keep(identity, handshake, now)
        return handshake.challenge

    def _keep(self, identity: bytes, handshake: Handshake, now: float) -> None:
        handshake.since = now
        self._handshakes[identity] = handshake
        if len(self._handshakes) > MAX_HANDSHAKES:
            del self._handshakes[next(iter(self._handshakes))]

    def _expire(self, now: float) -> None:
        while self._handshakes:
            identity = next(iter(self._handshakes))
            if now - self._handshakes[identity].since <= LIFETIME:
                return
            del self._handshakes[identity]

    def _trust(self, identity: bytes) -> None:
        self._trusted.pop(identity, None)
        self._trusted[identity] = None
        if len(self._trusted) > MAX_TRUSTED:
            del self._trusted[next(iter(self._trusted))]


class Handshake:
    """The kernel's part of one, as `Listener.accept` plays it: it challenges first.

    Args:
        key: of the challenges.
        nonce: fresh entropy.
    """

    def __init__(self, key: SecretKey, nonce: bytes) -> None:
        self.since = 0.0  # the last step
        self.answered = False  # our challenge
        self._challenger = Challenger(key, nonce=nonce)
        self._responder = Responder(key)
        self._responded = False

    @property
    def challenge(self) -> bytes:
        """What the kernel says first."""
        return self._challenger.challenge

    def take(self, frame: bytes) -> bytes | None:
        """What to say next; None: both have proved it. Raises ChallengeError: it is over."""
        if not self.answered:
            verdict = self._challenger.verify(frame)
            self.answered = True
            return verdict
        if not self._responded:
            self._responded = True
            return self._responder.answer(frame)
        self._responder.conclude(frame)
        return None
