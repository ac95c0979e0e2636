"""A scheme with a handshake, as a package of somebody else's could bring it.

On shell, control and stdin both sides show in two frames that they hold the key, each with a nonce;
from these come a key for each connection, and a counter for each direction. The kernel names its
run, which has a key for what is published.

What it leaves out: the client confirms nothing, so that a greeting of an earlier handshake that
comes late replaces what was agreed, until the client shakes hands again. channel-hmac, whose client
answers a challenge, has no such gap.
"""

# ruff: noqa: ARG002 - a side takes what it needs of what the seam tells it

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from minikernel.auth.scheme import ClientSide, Greeting, KernelSide, Sealed
from minikernel.auth.spec import Setup, Spec, Traits
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    ConfigError,
    FramingError,
    ReplayedCounter,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.wire.peer import Peer, Route

NAME = "two-nonces"
CHANNELS = (Channel.CONTROL, Channel.STDIN, Channel.SHELL)
NONCE, TAG, RETRY = 16, 32, 0.5  # bytes, bytes, seconds


def tag(key: bytes, *parts: bytes) -> bytes:
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(memoryview(part).nbytes.to_bytes(8, "big"))
        mac.update(part)
    return mac.digest()


def derived(setup: Setup) -> bytes:
    if not setup.key:
        raise ConfigError(f"{NAME} needs a key")
    return tag(setup.key.reveal(), NAME.encode())


class Line:
    """Counters and tags of one connection, or of what is published."""

    def __init__(self, key: bytes, says: bytes, hears: bytes) -> None:
        self._key, self._says, self._hears = key, says, hears
        self._sent = self._received = 0
        self.skipped = 0

    def seal(self, frames: Sequence[bytes]) -> bytes:
        self._sent += 1
        counter = self._sent.to_bytes(8, "big")
        return counter + tag(self._key, self._says, counter, *frames)

    def open(self, signature: bytes, frames: Sequence[bytes]) -> None:
        counter, number = signature[:8], int.from_bytes(signature[:8], "big")
        if not hmac.compare_digest(tag(self._key, self._hears, counter, *frames), signature[8:]):
            raise BadSignature("another key")
        if number <= self._received:
            raise ReplayedCounter("it was here before")
        self.skipped += number - self._received - 1 if self._received else 0
        self._received = number


class TwoNoncesKernel(KernelSide):
    def __init__(self, setup: Setup) -> None:
        self._key, self._entropy = derived(setup), setup.entropy
        self._lines: dict[tuple[Channel, Route], Line] = {}
        self._answers: dict[tuple[Channel, Route], tuple[bytes, bytes]] = {}
        self._run = setup.entropy(NONCE)
        self._published = Line(tag(self._key, self._run), b"published", b"")

    def greet(self, channel: Channel, frame: bytes, route: Route, now: float) -> bytes:
        nonce = frame[:NONCE]
        proof = tag(self._key, b"client", nonce)
        if channel not in CHANNELS or not hmac.compare_digest(proof, frame[NONCE:]):
            raise ChallengeError("no client")
        asked, answer = self._answers.get((channel, route), (b"", b""))
        if asked == nonce:
            return answer  # the client was impatient
        own = self._entropy(NONCE)
        answer = own + self._run + tag(self._key, b"kernel", nonce, own, self._run)
        key = tag(self._key, channel.value.encode(), nonce, own)
        self._lines[channel, route] = Line(key, b"kernel", b"client")
        self._answers[channel, route] = nonce, answer
        return answer

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        if channel is Channel.IOPUB:
            return Sealed(to.route, self._published.seal([*to.route, *frames]))
        line = self._lines.get((channel, to.route))
        return None if line is None else Sealed(to.route, line.seal(frames))

    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route, now: float
    ) -> Peer:
        line = self._lines.get((channel, route))
        if line is None:
            raise UnknownSession("it has not shaken hands")
        line.open(signature, frames)
        return Address(route)


class TwoNoncesClient(ClientSide):
    def __init__(self, setup: Setup) -> None:
        self._key, self._entropy = derived(setup), setup.entropy
        self._lines: dict[Channel, Line] = {}
        self._run = b""
        self._published: Line | None = None
        self._nonces: dict[Channel, bytes] = {}  # sent, and not answered yet
        self._answers: set[bytes] = set()
        self._next = 0.0

    def renew(self, now: float) -> None:
        self.renewed = self._next = now
        for channel in CHANNELS:  # or go on with what is under way
            self._nonces.setdefault(channel, self._entropy(NONCE))

    def due(self, now: float) -> Sequence[Greeting]:
        if now < self._next:
            return ()
        self._next = now + RETRY
        return [Greeting(c, n + tag(self._key, b"client", n)) for c, n in self._nonces.items()]

    def wait(self, now: float) -> float | None:
        return max(0.0, self._next - now) if self._nonces else None

    @property
    def under_way(self) -> tuple[Channel, ...]:
        return tuple(self._nonces)

    def is_ready(self, channel: Channel) -> bool:
        return not self._nonces and bool(self._lines)

    def greet(self, channel: Channel, frame: bytes, route: Route, now: float) -> None:
        if frame in self._answers:
            return
        nonce, own, run = self._nonces.get(channel), frame[:NONCE], frame[NONCE : 2 * NONCE]
        if nonce is None:
            raise FramingError("nobody has asked")
        if not hmac.compare_digest(tag(self._key, b"kernel", nonce, own, run), frame[2 * NONCE :]):
            raise ChallengeError("no kernel")
        key = tag(self._key, channel.value.encode(), nonce, own)
        self._lines[channel] = Line(key, b"client", b"kernel")
        del self._nonces[channel]
        self._answers.add(frame)
        if run != self._run:
            self._run, self._published = run, Line(tag(self._key, run), b"", b"published")

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        line = self._lines.get(channel)
        return None if line is None else Sealed((), line.seal(frames))

    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route, now: float
    ) -> Peer:
        line = self._published if channel is Channel.IOPUB else self._lines.get(channel)
        if line is None:
            raise UnknownSession("the kernel has not answered")
        line.open(signature, [*route, *frames])
        return Address(route)

    def forget(self) -> None:
        self._key = b""
        self._lines.clear()
        self._nonces.clear()


SPEC = Spec(
    Traits(replay_memory=False, covers="all", handshake=True), TwoNoncesKernel, TwoNoncesClient
)
