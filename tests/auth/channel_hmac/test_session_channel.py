"""Section 5: check, verify, mark, on one channel of one session."""

from __future__ import annotations

import pytest

from minikernel.auth.channel_hmac.frames import Type, parse_tagged
from minikernel.auth.channel_hmac.keys import Direction, SessionKeys
from minikernel.auth.channel_hmac.session_channel import SessionChannel
from minikernel.auth.keys import SecretKey
from minikernel.errors import BadSignature, ReplayedCounter, WrongRoute
from minikernel.wire.channels import Channel

SHELL = Channel.SHELL
SESSION = bytes(range(16))
FRAMES = [b"header", b"{}", b"{}", b"{}", b"buffer"]
HERE, THERE = (b"here",), (b"there",)


def line(sends: Direction, channel: Channel = SHELL) -> SessionChannel:
    keys = SessionKeys(SecretKey(b"k" * 32), b"hello", b"challenge")
    return SessionChannel(SESSION, channel, keys, sends)


@pytest.fixture
def client() -> SessionChannel:
    return line(Direction.TO_KERNEL)


@pytest.fixture
def kernel() -> SessionChannel:
    return line(Direction.TO_CLIENT)


def refused(kernel: SessionChannel, auth: bytes, frames: list[bytes], why: type[Exception]) -> None:
    """And nothing has changed."""
    before = kernel.received.last, kernel.received.gaps, kernel.route
    with pytest.raises(why):
        kernel.admit(parse_tagged(auth, Type.DATA, SHELL), frames, HERE)
    assert (kernel.received.last, kernel.received.gaps, kernel.route) == before


def test_what_one_end_seals_the_other_admits_once(
    client: SessionChannel, kernel: SessionChannel
) -> None:
    auth = client.seal(FRAMES)
    assert kernel.admit(parse_tagged(auth, Type.DATA, SHELL), FRAMES, HERE) == 0
    assert kernel.route == HERE
    refused(kernel, auth, FRAMES, ReplayedCounter)


def test_skipped_counters_are_counted(client: SessionChannel, kernel: SessionChannel) -> None:
    auths = [client.seal(FRAMES) for _ in range(4)]
    assert kernel.admit(parse_tagged(auths[2], Type.DATA, SHELL), FRAMES, HERE) == 2
    refused(kernel, auths[1], FRAMES, ReplayedCounter)
    assert kernel.admit(parse_tagged(auths[3], Type.DATA, SHELL), FRAMES, HERE) == 0
    assert kernel.received.gaps == 2


@pytest.mark.parametrize("at", range(len(FRAMES)))
def test_every_frame_is_covered(client: SessionChannel, kernel: SessionChannel, at: int) -> None:
    auth = client.seal(FRAMES)
    changed = [*FRAMES[:at], FRAMES[at] + b"x", *FRAMES[at + 1 :]]
    refused(kernel, auth, changed, BadSignature)
    assert kernel.admit(parse_tagged(auth, Type.DATA, SHELL), FRAMES, HERE) == 0


def test_the_first_message_chooses_the_route(
    client: SessionChannel, kernel: SessionChannel
) -> None:
    kernel.admit(parse_tagged(client.seal(FRAMES), Type.DATA, SHELL), FRAMES, THERE)
    refused(kernel, client.seal(FRAMES), FRAMES, WrongRoute)


def test_a_message_does_not_come_back(kernel: SessionChannel) -> None:
    refused(kernel, kernel.seal(FRAMES), FRAMES, BadSignature)


def test_pings_share_the_counter(client: SessionChannel, kernel: SessionChannel) -> None:
    client.seal(FRAMES)
    ping = parse_tagged(client.ping(), Type.PING, SHELL)
    assert kernel.admit(ping, None) == 1
    with pytest.raises(ReplayedCounter):
        kernel.admit(ping, None)
