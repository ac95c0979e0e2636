"""challenge-once, the client's end: `Client` of `multiprocessing.connection`, on a DEALER."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from minikernel.auth.challenge import MAX_MESSAGE, SHA256, Challenger, Responder
from minikernel.auth.challenge_once import NAME
from minikernel.auth.challenge_once.kernel import CHANNELS, KNOCK, challenge_key
from minikernel.auth.keys import SecretKey
from minikernel.auth.scheme import ClientSide, Greeting, Sealed
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    FramingError,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.challenge_once.kernel import Entropy
    from minikernel.auth.spec import Setup
    from minikernel.wire.peer import Peer, Route

FIRST_RETRY = 1.0  # seconds until a client knocks again, twice as many the next time
LAST_RETRY = 3600.0  # the kernel's main thread may be busy for long


class ClientChallengeOnce(ClientSide):
    """All channels of a client.

    Once a channel's handshake is over, whoever speaks there is the kernel; on iopub always.

    Args:
        key: the connection file's key.
        entropy: n -> n random bytes (os.urandom).

    Raises:
        ConfigError: an empty key.
    """

    name = NAME

    def __init__(self, key: SecretKey, *, entropy: Entropy) -> None:
        self._key = challenge_key(key)
        self._entropy = entropy
        self._handshakes = {channel: ClientHandshake(self._key, entropy) for channel in CHANNELS}

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:  # noqa: ARG002 - nothing is covered
        """Nothing; None: the kernel does not know this connection yet."""
        return Sealed(to.route, b"") if self._has_met_on(channel) else None

    def open(
        self,
        channel: Channel,
        signature: bytes,
        frames: Sequence[bytes],  # noqa: ARG002 - nothing is covered
        route: Route,
        now: float = 0.0,  # noqa: ARG002 - nor does what was proved grow old
    ) -> Peer:
        """Whoever answers.

        Raises:
            BadSignature: there is a signature, so it belongs to another scheme.
            UnknownSession: the kernel has proved nothing on this channel.
        """
        if signature:
            raise BadSignature("this scheme signs nothing")
        if not self._has_met_on(channel):
            raise UnknownSession("the kernel has not answered our challenge")
        return Address(route)

    def _has_met_on(self, channel: Channel) -> bool:
        return channel not in self._handshakes or self._handshakes[channel].met

    def greet(
        self,
        channel: Channel,
        frame: bytes,
        route: Route,  # noqa: ARG002 - a DEALER has one way only
        now: float = 0.0,  # noqa: ARG002 - what follows is due at once
    ) -> bytes | None:
        """Take the next step of a channel's handshake; what follows is due.

        Raises:
            FramingError: no handshake has such a frame, or none is on this channel.
            ChallengeError: it proves nothing, or was not asked for.
        """
        handshake = self._handshakes.get(channel)
        if handshake is None or len(frame) > MAX_MESSAGE:
            raise FramingError("not a step of a handshake")
        handshake.take(frame)
        return None

    def renew(self, now: float) -> None:
        """Shake hands on all channels, or go on with it."""
        for handshake in self._handshakes.values():
            handshake.begin(now)

    def due(self, now: float) -> Sequence[Greeting]:
        """Knocks and answers, to be sent before all else."""
        said = [(channel, handshake.says(now)) for channel, handshake in self._handshakes.items()]
        return [Greeting(channel, frame) for channel, frame in said if frame is not None]

    def wait(self, now: float) -> float | None:
        """Seconds until something is due; None: the handshakes are over, or not begun."""
        moments = [v.next for v in self._handshakes.values() if v.next is not None]
        return max(0.0, min(moments) - now) if moments else None

    def is_ready(self, channel: Channel) -> bool:
        """Whether the kernel has let us in; a cell may ask on stdin at once, so that comes first.

        On iopub it lets in everybody.
        """
        needed = (channel, Channel.STDIN) if channel is Channel.SHELL else (channel,)
        return all(self._handshakes[c].is_over for c in needed if c in self._handshakes)

    def forget(self) -> None:
        """In the child after a fork: no key, and nobody met."""
        self._key = SecretKey(b"")
        self._handshakes = {
            channel: ClientHandshake(self._key, self._entropy) for channel in CHANNELS
        }

    @property
    def under_way(self) -> Sequence[Channel]:
        """The channels that have not shaken hands."""
        return [channel for channel, handshake in self._handshakes.items() if not handshake.is_over]


class State(enum.Enum):
    """What a client waits for on one channel."""

    NOTHING = "nothing"
    CHALLENGE = "the kernel's challenge"
    VERDICT = "the verdict on its answer"
    ANSWER = "the answer to its own challenge"
    OVER = "nothing more"


class Event(enum.Enum):
    """What happens there."""

    KNOCKED = "it knocks"
    PROVED = "a frame that is right"
    FAILED = "a frame that is wrong"


Step: TypeAlias = "tuple[State, Callable[[ClientHandshake, bytes], bytes]]"


class ClientHandshake:
    """The client's part of a handshake on one channel, as `Client` plays it: it answers first.

    Args:
        key: of the challenges.
        entropy: n -> n random bytes (os.urandom).
    """

    def __init__(self, key: SecretKey, entropy: Entropy) -> None:
        self._key = key
        self._entropy = entropy
        self.next: float | None = None  # when there is something to say; None: all is said
        self.met = False  # the kernel, in this handshake or an earlier one
        self._delay = FIRST_RETRY
        self._knocks_at = 0.0
        self._answer_due: bytes | None = None
        self._heard: bytes | None = None  # the challenge that was answered last
        self._state = State.NOTHING

    @property
    def is_over(self) -> bool:
        """Whether all is said, and both have proved it."""
        return self._state is State.OVER and self.next is None

    def begin(self, now: float) -> None:
        """Start anew; if it is under way, only knock again soon."""
        self._delay = FIRST_RETRY
        if self.next is None:
            self.next = self._knocks_at = now
        else:
            self._knocks_at = min(self._knocks_at, now + FIRST_RETRY)
            self.next = min(self.next, self._knocks_at)

    def says(self, now: float) -> bytes | None:
        """An answer, or a knock: now or again, the kernel was busy, has gone, or has refused."""
        if self.next is None or now < self.next:
            return None
        if self._answer_due is not None:
            frame, self._answer_due = self._answer_due, None
            self.next = None if self._state is State.OVER else self._knocks_at
            return frame
        self.next = self._knocks_at = now + self._delay
        self._delay = min(2 * self._delay, LAST_RETRY)
        self._state, _ = self.STEPS[self._state, Event.KNOCKED]
        return KNOCK

    def take(self, frame: bytes) -> None:
        """Think about what to say next. Raises ChallengeError: nothing until the next knock."""
        state = self._state
        if frame == self._heard and state not in {State.CHALLENGE, State.OVER}:
            return  # we knocked twice
        if (state, Event.PROVED) not in self.STEPS:
            raise ChallengeError("nobody has asked for that")
        proved, action = self.STEPS[state, Event.PROVED]
        self._state, _ = self.STEPS[state, Event.FAILED]
        try:
            self._say(action(self, frame))
        except ChallengeError as problem:
            if problem.reply:
                self._say(problem.reply)
            raise
        self._state = proved

    def _say(self, frame: bytes) -> None:
        self._answer_due, self.next = frame, 0.0

    def _answer(self, challenge: bytes) -> bytes:
        """Answer it."""
        self._responder = Responder(self._key)
        answer = self._responder.answer(challenge)
        self._heard = challenge
        return answer

    def _challenge(self, verdict: bytes) -> bytes:
        """Send a challenge, if the verdict is good."""
        self._responder.conclude(verdict)
        self._challenger = Challenger(self._key, nonce=self._entropy(SHA256.nonce_length))
        return self._challenger.challenge

    def _judge(self, answer: bytes) -> bytes:
        """Send the verdict."""
        verdict = self._challenger.verify(answer)
        self.met = True
        return verdict

    def _rest(self, _: bytes) -> bytes:
        """Say nothing."""
        return b""

    STEPS: ClassVar[Mapping[tuple[State, Event], Step]] = {
        **dict.fromkeys(((state, Event.KNOCKED) for state in State), (State.CHALLENGE, _rest)),
        (State.CHALLENGE, Event.PROVED): (State.VERDICT, _answer),
        # What comes late of an earlier handshake may precede a challenge.
        (State.CHALLENGE, Event.FAILED): (State.CHALLENGE, _rest),
        (State.VERDICT, Event.PROVED): (State.ANSWER, _challenge),
        (State.VERDICT, Event.FAILED): (State.NOTHING, _rest),
        (State.ANSWER, Event.PROVED): (State.OVER, _judge),
        (State.ANSWER, Event.FAILED): (State.NOTHING, _rest),
    }


def make(setup: Setup) -> ClientChallengeOnce:
    """A client's side of the scheme. Raises ConfigError."""
    return ClientChallengeOnce(setup.key, entropy=setup.entropy)
