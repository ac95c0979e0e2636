"""A million frames, odd, changed and authentic, over the ends of all schemes: each gives a verdict.

From a seed, in memory. `MINIKERNEL_FRAMES` says how many frames each end gets; without it the slow
test gives all of them together a million.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.session import Session

from minikernel.auth.challenge_once import NAME as CHALLENGE_ONCE
from minikernel.auth.challenge_once.client import ClientChallengeOnce
from minikernel.auth.challenge_once.kernel import KernelChallengeOnce
from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.auth.channel_hmac.client_side import ClientChannelHmac
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.scheme import Greeting
from minikernel.client.trace import Trace
from minikernel.client.verifier import Verifier
from minikernel.errors import ContentError, RemoteProtocolError
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.protocol.heartbeat import HeartbeatEnd
from minikernel.protocol.kernel import error_reply
from minikernel.wire.channels import Channel, Role
from minikernel.wire.content import REQUESTS
from minikernel.wire.frames import DELIMITER, is_greeting
from minikernel.wire.message import HeaderFactory
from minikernel.wire.peer import Address
from tests import odd
from tests.auth.conftest import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Frames = list[bytes]

KEY = b"a master key of 32 bytes or more"
CHANNELS = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)
ROUTE = (b"peer",)
SCHEMES = ("null", "clear-key", "hmac-sha256", "hmac-sha512", CHALLENGE_ONCE, CHANNEL_HMAC, "eve")
SECONDS = 240  # of all ends together, or fewer frames
BUGS = {"internal error", "no memory"}


@dataclass
class Pair:
    """The two ends of all channels, in memory."""

    kernel: dict[Channel, ChannelEnd]
    client: Verifier
    route: dict[Channel, tuple[bytes, ...]]
    back: dict[Channel, Any]  # whom the kernel answers

    def at_kernel(self, channel: Channel, frames: Frames) -> None:
        end = self.kernel[channel]
        try:
            if is_greeting(frames):
                end.greet(frames)
            else:
                end.receive(frames)
        except ContentError as problem:
            if reply := error_reply(problem):
                end.compose(reply.msg_type, reply.content, parent=reply.parent)
        except RemoteProtocolError:
            pass

    def at_client(self, channel: Channel, frames: Frames) -> None:
        self.client.open(channel, frames)

    def to_kernel(self, channel: Channel, body: Frames) -> Frames:
        sealed = self.client.connection._ends[channel].seal(body, Address(()))
        assert sealed is not None
        return [*self.route[channel], *sealed]

    def to_client(self, channel: Channel, body: Frames) -> Frames:
        to = Address((b"topic",)) if channel is Channel.IOPUB else self.back[channel]
        sealed = self.kernel[channel].seal(body, to)
        assert sealed is not None
        return sealed if channel is Channel.IOPUB else sealed[len(self.route[channel]) :]

    def bugs(self) -> set[str]:
        kernel = [end.tally for end in self.kernel.values()]
        tallies = [*kernel, *self.client.connection.tallies.values()]
        return {reason for tally in tallies for reason in tally.rejected} & BUGS


def pair(name: str) -> Pair:
    route = dict.fromkeys(CHANNELS, ROUTE)
    back: dict[Channel, Any] = {channel: Address(ROUTE) for channel in CHANNELS}
    kernel: Any
    client: Any
    traits = find(CHANNEL_HMAC if name == "eve" else name).traits
    if name in {CHANNEL_HMAC, "eve"}:
        stage = Stage()
        visitor = stage.owner() if name == CHANNEL_HMAC else stage.guest("eve", 1)
        peer = visitor.join()
        visitor.send(Channel.STDIN)
        kernel = KernelChannelHmac(stage.kernel)
        client = ClientChannelHmac(visitor.end, peer.rights)
        route = visitor.routes
        back = dict.fromkeys(CHANNELS, peer)
    elif name == CHALLENGE_ONCE:
        secret = SecretKey(KEY)
        kernel = KernelChallengeOnce(secret, entropy=os.urandom)
        client = ClientChallengeOnce(secret, entropy=os.urandom)
    else:
        secret = SecretKey(b"" if name == "null" else KEY)
        kernel, client = create(name, secret, ReplayMemory()), create(name, secret, ReplayMemory())
    ends = {
        channel: ChannelEnd(
            channel,
            Role.KERNEL,
            kernel,
            HeaderFactory("kernel", "1", "user", lambda: b'""'),
            guards=Guards(own_session="kernel", max_age=5),
            contents=REQUESTS,
            now=lambda: 0.0,
            clock=lambda: 0.0,
        )
        for channel in CHANNELS
    }
    both = Pair(ends, Verifier(client, Session(key=KEY), traits), route, back)
    if name == CHALLENGE_ONCE:
        introduce(both, client)
    return both


def introduce(both: Pair, client: ClientChallengeOnce) -> None:
    """The handshakes of challenge-once, on each channel."""
    client.renew(0.0)
    for _ in range(8):
        for greeting in client.due(0.0):
            assert isinstance(greeting, Greeting)
            channel = greeting.channel
            answer = both.kernel[channel].greet([*ROUTE, DELIMITER, greeting.frame])
            if answer is not None:
                both.at_client(channel, answer[len(ROUTE) :])
    assert all(client.is_ready(c) for c in (Channel.SHELL, Channel.CONTROL, Channel.STDIN))


def told(frames: Frames, rng: odd.Random) -> Frames:
    """What a man in the middle makes of a message."""
    changed = list(frames)
    at = rng.randrange(len(changed))
    match rng.randrange(6):
        case 0:
            changed[at] = odd.bent(rng, changed[at])
        case 1:
            del changed[at]
        case 2:
            changed.insert(at, changed[at])
        case 3:
            changed[at] = odd.value(rng)
        case 4:
            rng.shuffle(changed)
        case _:
            pass  # as it was, once more
    return changed


def messages(both: Pair, role: Role, rng: odd.Random) -> Iterator[tuple[Channel, Frames]]:
    """Authentic ones, changed ones, and nobody's."""
    seal = both.to_kernel if role is Role.KERNEL else both.to_client
    channels = CHANNELS[:3] if role is Role.KERNEL else CHANNELS
    heard: list[Frames] = []
    header = {"msg_id": "1", "msg_type": "", "session": "s", "date": "1970-01-01T00:00:00Z"}
    for turn in itertools.count():
        channel = rng.choice(channels)
        kind = rng.random()
        if kind < 0.6 or not heard:
            frames = seal(channel, odd.body(rng, {**header, "msg_id": str(turn)}))
            heard[turn % 50 : turn % 50 + 1] = [frames]
            yield channel, frames
        elif kind < 0.9:
            yield channel, told(rng.choice(heard), rng)
        else:
            count = rng.choice((0, 1, 2, 3, 6, 9))
            frames = [odd.value(rng) for _ in range(count)]
            frames[rng.randrange(count + 1) : count] = [DELIMITER]
            yield channel, frames


def feed(both: Pair, role: Role, seed: str, count: int, deadline: float) -> int:
    """Give an end that many frames; how many it got."""
    rng = random.Random(seed)
    give: Callable[[Channel, Frames], None]
    give = both.at_kernel if role is Role.KERNEL else both.at_client
    fed = 0
    for channel, frames in messages(both, role, rng):
        give(channel, frames)
        fed += len(frames)
        if fed >= count or time.monotonic() > deadline:
            return fed
    return fed


def heartbeats(seed: str, count: int) -> None:
    stage = Stage()
    owner = stage.owner()
    owner.join()
    end = HeartbeatEnd(lambda ping: stage.kernel.pong(ping, stage.now))
    rng = random.Random(seed)
    fed = 0
    while fed < count:
        frames = told([b"peer", b"", owner.session.ping()], rng) if rng.random() < 0.8 else []
        end.answer(frames)
        fed += max(len(frames), 1)
    assert not BUGS & set(end.tally.rejected)
    assert end.tally.verified


def fuzz(each: int, seconds: float) -> None:
    share = seconds / (2 * len(SCHEMES))
    for name in SCHEMES:
        for role in Role:
            both = pair(name)
            seed = f"{name} {role.value} {each}"
            both.client.trace = shown(random.Random(seed))
            assert feed(both, role, seed, each, time.monotonic() + share) > min(each, 1000) // 2
            assert not both.bugs(), seed
            ends = both.kernel if role is Role.KERNEL else both.client.connection.tallies
            tallies = [getattr(end, "tally", end) for end in ends.values()]
            assert any(t.verified or t.rejected["refused"] for t in tallies), seed
    heartbeats(str(each), each)


def shown(rng: odd.Random) -> Callable[[Any], object]:
    """Draws now and then what a client traced."""

    def show(event: Any) -> None:
        if rng.random() < 0.01:
            assert event._repr_html_()
            assert Trace([event])._repr_html_()

    return show


def test_frames_over_all_ends() -> None:
    fuzz(1500, 10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_frames() -> None:
    each = int(os.environ.get("MINIKERNEL_FRAMES", "0"))
    fuzz(each or 1_000_000 // (2 * len(SCHEMES) + 1), 3000 if each else SECONDS)
