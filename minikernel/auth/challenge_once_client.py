"""challenge-once, the client's end: `Client` of `multiprocessing.connection`, on a DEALER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.challenge import MAX_MESSAGE, SHA256, Challenger, Responder
from minikernel.auth.challenge_once import CHANNELS, KNOCK, ChallengeOnce
from minikernel.auth.scheme import Address, Greeting, Sealed
from minikernel.errors import BadSignature, ChallengeError, FramingError, UnknownSession
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from minikernel.auth.challenge_once import Entropy
    from minikernel.auth.keys import SecretKey
    from minikernel.auth.scheme import Fate, Peer, Route

FIRST_RETRY = 1.0  # seconds until a client knocks again, twice as many the next time
LAST_RETRY = 3600.0  # the kernel's main thread may be busy for long


class ClientChallengeOnce(ChallengeOnce):
    """All channels of a client: `auth.scheme.Joining`.

    Once a channel's handshake is over, whoever speaks there is the kernel; on iopub always.

    Args:
        key: the connection file's key.
        entropy: so many random bytes.

    Raises:
        ConfigError: an empty key.
    """

    observes = True
    connected = True  # nobody says whether iopub is
    refusal: str | None = None

    def __init__(self, key: SecretKey, *, entropy: Entropy) -> None:
        super().__init__(key, entropy=entropy)
        self._visits = {channel: Visit(self._key, entropy) for channel in CHANNELS}

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:  # noqa: ARG002 - nothing is covered
        """Nothing; None: the kernel does not know this connection yet."""
        return Sealed(to.route, b"") if self._has_met_on(channel) else None

    def open(
        self,
        channel: Channel,
        signature: bytes,
        frames: Sequence[bytes],  # noqa: ARG002 - likewise
        route: Route,
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
        return channel not in self._visits or self._visits[channel].met

    def greet(self, channel: Channel, frame: bytes, route: Route) -> bytes | None:  # noqa: ARG002 - a DEALER has one way only
        """Take the next step of a channel's handshake; what follows is due.

        Raises:
            FramingError: no handshake has such a frame, or none is on this channel.
            ChallengeError: it proves nothing, or was not asked for.
        """
        visit = self._visits.get(channel)
        if visit is None or len(frame) > MAX_MESSAGE:
            raise FramingError("not a step of a handshake")
        visit.take(frame)
        return None

    def renew(self, now: float) -> None:
        """Shake hands on all channels, or go on with it."""
        for visit in self._visits.values():
            visit.begin(now)

    def due(self, now: float) -> Sequence[Greeting]:
        """Knocks and answers, to be sent before all else."""
        said = [(channel, visit.says(now)) for channel, visit in self._visits.items()]
        return [Greeting(channel, frame) for channel, frame in said if frame is not None]

    def wait(self, now: float) -> float | None:
        """Seconds until something is due; None: the handshakes are over, or not begun."""
        moments = [v.next for v in self._visits.values() if v.next is not None]
        return max(0.0, min(moments) - now) if moments else None

    def is_ready(self, channel: Channel) -> bool:
        """Whether the kernel has let us in; a cell may ask on stdin at once, so that comes first.

        On iopub it lets in everybody.
        """
        needed = (channel, Channel.STDIN) if channel is Channel.SHELL else (channel,)
        return all(self._visits[c].is_over for c in needed if c in self._visits)

    def take(
        self, channel: Channel, peer: Peer, msg_type: str, content: Mapping[str, object]
    ) -> None:
        """Messages have no part in the handshake."""

    @property
    def under_way(self) -> Collection[Channel]:
        """The channels that have not shaken hands."""
        return [channel for channel, visit in self._visits.items() if not visit.is_over]

    has_taken_over = False

    def fates(
        self,
        asked: Mapping[Channel, Mapping[str, bytes]],  # noqa: ARG002 - nobody counts messages
    ) -> Mapping[tuple[Channel, str], Fate]:
        """What became of requests before the handshake can't be told."""
        return {}


class Visit:
    """The client's part of a handshake on one channel, as `Client` plays it: it answers first.

    Args:
        key: of the challenges.
        entropy: so many random bytes.
    """

    def __init__(self, key: SecretKey, entropy: Entropy) -> None:
        self._key = key
        self._entropy = entropy
        self.next: float | None = None  # when there is something to say; None: all is said
        self.is_over = False
        self.met = False  # the kernel, in this handshake or an earlier one
        self._delay = FIRST_RETRY
        self._knocks_at = 0.0
        self._answer_due: bytes | None = None
        self._heard: bytes | None = None  # the challenge that was answered last
        self._step: Callable[[bytes], bytes] = self._refuse

    def begin(self, now: float) -> None:
        """Start anew; if it is under way, only knock again soon."""
        self._delay = FIRST_RETRY
        if self.next is None:
            self.is_over = False
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
            self.is_over = self._step == self._rest
            self.next = None if self.is_over else self._knocks_at
            return frame
        self.next = self._knocks_at = now + self._delay
        self._delay = min(2 * self._delay, LAST_RETRY)
        self._step = self._answer
        return KNOCK

    def take(self, frame: bytes) -> None:
        """Think about what to say next. Raises ChallengeError: nothing until the next knock."""
        step = self._step
        if frame == self._heard and step not in {self._answer, self._rest}:
            return  # we knocked twice
        if step not in {self._answer, self._rest}:
            self._step = self._refuse
        # What comes late of an earlier handshake may precede a challenge, or follow a welcome.
        try:
            self._say(step(frame))
        except ChallengeError as problem:
            if problem.reply:
                self._say(problem.reply)
            raise

    def _say(self, frame: bytes) -> None:
        self._answer_due, self.next = frame, 0.0

    def _refuse(self, frame: bytes) -> bytes:  # noqa: ARG002 - a step, as the others
        raise ChallengeError("nobody has asked for that")

    def _rest(self, frame: bytes) -> bytes:
        return self._refuse(frame)

    def _answer(self, challenge: bytes) -> bytes:
        self._responder = Responder(self._key)
        answer = self._responder.answer(challenge)
        self._heard, self._step = challenge, self._ask
        return answer

    def _ask(self, verdict: bytes) -> bytes:
        self._responder.conclude(verdict)
        self._challenger = Challenger(self._key, nonce=self._entropy(SHA256.nonce_length))
        self._step = self._judge
        return self._challenger.challenge

    def _judge(self, answer: bytes) -> bytes:
        verdict = self._challenger.verify(answer)
        self.met, self._step = True, self._rest
        return verdict
