"""Any bytes give a peer or a RemoteProtocolError; only what was sent, as it was sent, a peer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from minikernel.auth.channel_hmac.frames import CODES, DATA_CHANNELS, MAGIC, NOBODY, Type
from minikernel.errors import RemoteProtocolError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from conftest import Stage, Visitor

channels = st.sampled_from(list(Channel))
frame_lists = st.lists(st.binary(max_size=30), max_size=6)
routes = st.lists(st.binary(max_size=5), max_size=3)
sizes = st.sampled_from([0, 24, 32, 70, 88, 26]) | st.integers(0, 200)


@st.composite
def auths(draw: st.DrawFn) -> tuple[bytes, bool]:
    """AUTH frames that get past some checks; whether the session is to be a real one."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=300)), False
    start = MAGIC + bytes([draw(st.sampled_from(Type)), draw(st.sampled_from([*CODES.values()]))])
    counter = draw(st.integers(0, 2**64 - 1)).to_bytes(8, "big")
    size = draw(sizes)
    rest = draw(st.binary(min_size=size, max_size=size))
    return start + bytes(2) + NOBODY + counter + rest, draw(st.booleans())


def aimed(visitor: Visitor, auth: bytes, known: bool) -> bytes:
    return auth[:8] + visitor.session.id + auth[16:] if known else auth


@given(channels, auths(), frame_lists, routes)
def test_any_bytes_at_the_kernel(
    stage_with: type[Stage],
    channel: Channel,
    auth: tuple[bytes, bool],
    frames: list[bytes],
    route: list[bytes],
) -> None:
    stage = stage_with()
    owner = stage.owner()
    owner.join()
    data = aimed(owner, *auth)
    attempts: list[Any] = [
        lambda: stage.kernel.open(channel, data, frames, tuple(route), stage.now),
        lambda: stage.kernel.hello(data, stage.now),
        lambda: stage.kernel.pong(data, stage.now),
    ]
    for attempt in attempts:
        with contextlib.suppress(RemoteProtocolError):
            raise AssertionError(attempt())
    owner.send(Channel.SHELL)


@given(channels, auths(), frame_lists, routes)
def test_any_bytes_at_the_client(
    stage_with: type[Stage],
    channel: Channel,
    auth: tuple[bytes, bool],
    frames: list[bytes],
    route: list[bytes],
) -> None:
    stage = stage_with()
    owner = stage.owner()
    peer = owner.join()
    owner.session.ping()
    owner.end.hello()
    data = aimed(owner, *auth)
    attempts: list[Any] = [
        lambda: owner.end.open(channel, data, frames, tuple(route)),
        lambda: owner.end.challenge(data),
        lambda: owner.end.pong(data),
    ]
    for attempt in attempts:
        with contextlib.suppress(RemoteProtocolError):
            raise AssertionError(attempt())
    sealed = stage.kernel.seal(Channel.SHELL, [], peer)
    assert sealed is not None
    owner.end.open(Channel.SHELL, sealed.signature, [], [])


# What a man in the middle delivers: which of the messages sent, where, and changed how.
deliveries = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from(DATA_CHANNELS),
        st.none() | st.integers(0, 8 * 56 - 1),
        st.booleans(),
    ),
    max_size=40,
)


@given(deliveries)
def test_what_a_man_in_the_middle_delivers(
    stage_with: type[Stage], delivered: list[tuple[int, Channel, int | None, bool]]
) -> None:
    stage = stage_with()
    owner = stage.owner()
    owner.shake()
    owner.bind()
    start = {channel: owner.session.channels[channel].sent.last for channel in DATA_CHANNELS}
    sent = [
        (channel, owner.seal(channel, [b"%d" % n]), [b"%d" % n])
        for n in range(4)
        for channel in DATA_CHANNELS
    ]
    accepted: dict[Channel, list[int]] = {channel: [] for channel in DATA_CHANNELS}
    for n, channel, bit, changes_frames in delivered:
        own, auth, frames = sent[n]
        if bit is not None:
            auth = _flipped(auth, bit)
        if changes_frames:
            frames = [*frames, b""]
        try:
            owner.deliver(channel, auth, frames)
        except RemoteProtocolError:
            continue
        assert (channel, bit, changes_frames) == (own, None, False)
        accepted[channel].append(n // 3 + 1)
    for channel, numbers in accepted.items():
        assert numbers == sorted(set(numbers))
        missing = max(numbers) - len(numbers) if numbers else 0
        assert stage.kernel.gaps[channel] == missing
        session = next(iter(stage.kernel._table))
        last = session.channels[channel].received.last
        assert last == start[channel] + (max(numbers) if numbers else 0)


def _flipped(auth: bytes, bit: int) -> bytes:
    changed = bytearray(auth)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
