"""The kernel's end of challenge-once."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from minikernel.auth.challenge import MAX_MESSAGE, SHA256, Challenger, Responder
from minikernel.auth.challenge_once import NAME
from minikernel.auth.hkdf import extract
from minikernel.auth.keys import SecretKey
from minikernel.auth.scheme import KernelSide, Sealed
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    ConfigError,
    FramingError,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.spec import Setup
    from minikernel.wire.peer import Peer, Route

    Entropy = Callable[[int], bytes]

SALT = b"minikernel challenge-once 1"
KNOCK = b"#KNOCK#"
CHANNELS = (Channel.CONTROL, Channel.STDIN, Channel.SHELL)
MAX_TRUSTED = 1024  # identities of a channel; the longest silent goes
MAX_HANDSHAKES = 256  # in progress on a channel; the one without a step for longest goes
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


class KernelChallengeOnce(KernelSide):
    """All channels of a kernel. Nothing is shared by two channels, so each may have its thread.

    A trusted identity may say anything, in anybody's name.

    Args:
        key: the connection file's key.
        entropy: n -> n random bytes (os.urandom).

    Raises:
        ConfigError: an empty key.
    """

    name = NAME

    def __init__(self, key: SecretKey, *, entropy: Entropy) -> None:
        secret = challenge_key(key)
        self._tables = {channel: IdentityTable(secret, entropy) for channel in CHANNELS}

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:  # noqa: ARG002 - nothing is covered
        """Nothing, on the way by which the peer came."""
        return Sealed(to.route, b"")

    def open(
        self,
        channel: Channel,
        signature: bytes,
        frames: Sequence[bytes],  # noqa: ARG002 - nothing is covered
        route: Route,
        now: float = 0.0,  # noqa: ARG002 - trust does not end
    ) -> Peer:
        """Somebody behind an identity that was challenged once.

        Raises:
            BadSignature: there is a signature, so it belongs to another scheme.
            UnknownSession: the identity was not challenged, or longer ago than is remembered.
        """
        if signature:
            raise BadSignature("this scheme signs nothing")
        self._table(channel).admit(_identity(route))
        return Address(route)

    def greet(self, channel: Channel, frame: bytes, route: Route, now: float) -> bytes | None:
        """Take the next step of an identity's handshake; the answer.

        Raises:
            FramingError: no handshake has such a frame, or none is on this channel.
            ChallengeError: it proves nothing, or was not asked for; what was in progress is over.
        """
        if len(frame) > MAX_MESSAGE:
            raise FramingError("too long for a handshake")
        return self._table(channel).greet(_identity(route), frame, now)

    def _table(self, channel: Channel) -> IdentityTable:
        table = self._tables.get(channel)
        if table is None:
            raise FramingError(f"nobody is challenged on {channel.value}")
        return table


def _identity(route: Route) -> bytes:
    """The only one: what a stranger puts before the delimiter is kept, and so must be small."""
    if len(route) != 1 or len(route[0]) > MAX_IDENTITY:
        raise FramingError("not the one identity of a connection")
    return route[0]


class IdentityTable:
    """Who may speak on one channel, and who is about to be.

    A stranger can push out handshakes that are in progress, never an identity that is trusted.
    """

    def __init__(self, key: SecretKey, entropy: Entropy) -> None:
        self._key = key
        self._entropy = entropy
        self._handshakes: dict[bytes, KernelHandshake] = {}  # the last step longest ago first
        self._trusted: dict[bytes, None] = {}  # the longest silent first

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
            handshake = KernelHandshake(self._key, self._entropy(SHA256.nonce_length))
            self._keep(identity, handshake, now)
        return handshake.challenge

    def _keep(self, identity: bytes, handshake: KernelHandshake, now: float) -> None:
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


class State(enum.Enum):
    """What the kernel waits for from an identity that has knocked."""

    ANSWER = "the answer to its challenge"
    CHALLENGE = "the client's challenge"
    VERDICT = "the verdict on its answer"
    OVER = "nothing more: the identity is trusted"


Step: TypeAlias = "tuple[State, Callable[[KernelHandshake, bytes], bytes | None]]"


class KernelHandshake:
    """The kernel's part of one, as `Listener.accept` plays it: it challenges first.

    A frame that proves nothing ends it.

    Args:
        key: of the challenges.
        nonce: fresh entropy.
    """

    def __init__(self, key: SecretKey, nonce: bytes) -> None:
        self.since = 0.0  # the last step
        self._state = State.ANSWER
        self._challenger = Challenger(key, nonce=nonce)
        self._responder = Responder(key)

    @property
    def challenge(self) -> bytes:
        """What the kernel says first."""
        return self._challenger.challenge

    @property
    def answered(self) -> bool:
        """Whether the challenge has been answered."""
        return self._state is not State.ANSWER

    def take(self, frame: bytes) -> bytes | None:
        """What to say next; None: both have proved it. Raises ChallengeError: it is over."""
        state, action = self.STEPS[self._state]
        answer = action(self, frame)
        self._state = state
        return answer

    def _judge(self, answer: bytes) -> bytes:
        """Send the verdict."""
        return self._challenger.verify(answer)

    def _answer(self, challenge: bytes) -> bytes:
        """Answer it."""
        return self._responder.answer(challenge)

    def _conclude(self, verdict: bytes) -> None:
        """Trust the identity, if the verdict is good."""
        self._responder.conclude(verdict)

    STEPS: ClassVar[Mapping[State, Step]] = {
        State.ANSWER: (State.CHALLENGE, _judge),
        State.CHALLENGE: (State.VERDICT, _answer),
        State.VERDICT: (State.OVER, _conclude),
    }


def make(setup: Setup) -> KernelChallengeOnce:
    """The kernel's side of the scheme. Raises ConfigError."""
    return KernelChallengeOnce(setup.key, entropy=setup.entropy)
