from __future__ import annotations

import pytest

from minikernel.errors import FramingError
from minikernel.wire.frames import DELIMITER, Limits, is_greeting, join, split

FOUR = [b"{}"] * 4


def test_split_is_the_inverse_of_join() -> None:
    raw = split(join([b"a", b"b"], b"sig", [*FOUR, b"buffer"]))
    assert raw == ((b"a", b"b"), b"sig", [*FOUR, b"buffer"])


def test_only_buffers_stay_views() -> None:
    view = memoryview(b"x")
    raw = split([b"a", view, DELIMITER, view, view, view, view, view, view])
    assert raw == ((b"a", b"x"), b"x", [b"x", b"x", b"x", b"x", view])
    assert [type(f) for f in (*raw.route, raw.signature, *raw.frames[:4])] == [bytes] * 7
    assert raw.frames[4] is view


def test_the_first_delimiter_counts() -> None:
    assert split([DELIMITER, DELIMITER, *FOUR]) == ((), DELIMITER, FOUR)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"id"],
        [DELIMITER],
        [DELIMITER, b"sig"],
        [DELIMITER, b"sig", *FOUR[1:]],
        [b"<ids|msg>", b"sig", *FOUR],
        [*[b"id"] * 65, DELIMITER, b"sig", *FOUR],
        [DELIMITER, b"sig", *FOUR, *[b""] * 1021],
    ],
)
def test_what_is_no_message(frames: list[bytes]) -> None:
    with pytest.raises(FramingError):
        split(frames)


def test_limits_are_the_last_that_pass() -> None:
    split([*[b"id"] * 64, DELIMITER, b"sig", *FOUR, *[b""] * 1020])
    split([b"id", DELIMITER, b"", *FOUR], Limits(before=1, after=4))


def test_nothing_follows_the_signature_of_a_greeting() -> None:
    assert is_greeting([DELIMITER, b"sig"])
    assert is_greeting([*[b"id"] * 64, DELIMITER, DELIMITER])
    assert not is_greeting([*[b"id"] * 65, DELIMITER, b"sig"])
    assert not is_greeting([DELIMITER])
    assert not is_greeting([DELIMITER, b"sig", *FOUR])


def test_a_buffer_may_look_like_a_delimiter() -> None:
    assert not is_greeting([DELIMITER, b"sig", *FOUR, DELIMITER, b"buffer"])


@pytest.mark.parametrize("at", [0, 1, 2], ids=["header", "parent_header", "metadata"])
def test_limits_of_bytes(at: int) -> None:
    limits = Limits(header=10, metadata=10)
    for size, passes in ((10, True), (11, False)):
        frames = [DELIMITER, b"sig", *FOUR]
        frames[2 + at] = b"x" * size
        if passes:
            split(frames, limits)
        else:
            with pytest.raises(FramingError):
                split(frames, limits)
        split(frames)
