from __future__ import annotations

import pytest

from minikernel.errors import BadSignature
from minikernel.protocol.heartbeat import HeartbeatEnd
from minikernel.wire.channels import Channel


def pong(ping: bytes) -> bytes:
    if ping != b"ping":
        raise BadSignature("not ours")
    return b"pong"


@pytest.fixture
def end() -> HeartbeatEnd:
    return HeartbeatEnd(pong)


@pytest.mark.parametrize("before", [[], [b"id"], [b"id", b""], [b""] * 64])
def test_what_stands_before_the_ping_goes_back(end: HeartbeatEnd, before: list[bytes]) -> None:
    for n in (1, 2):
        assert end.answer([*before, b"ping"]) == [*before, b"pong"]
        assert (end.tally.verified, end.tally.sent, end.tally.rejected) == (n, n, {})
    assert end.channel is Channel.HEARTBEAT


@pytest.mark.parametrize(
    ("frames", "reason"),
    [([b"id", b"", b"junk"], "bad signature"), ([b""] * 65 + [b"ping"], "framing")],
)
def test_junk_is_counted_and_gets_no_answer(
    end: HeartbeatEnd, frames: list[bytes], reason: str
) -> None:
    for n in (1, 2):
        assert end.answer(frames) is None
        assert (end.tally.verified, end.tally.sent, end.tally.rejected) == (0, 0, {reason: n})
