from __future__ import annotations

import pytest

from minikernel.errors import FramingError
from minikernel.wire.frames import DELIMITER, Limits, join, split

FOUR = [b"{}"] * 4


def test_split_is_the_inverse_of_join() -> None:
    raw = split(join([b"a", b"b"], b"sig", [*FOUR, b"buffer"]))
    assert raw == ([b"a", b"b"], b"sig", [*FOUR, b"buffer"])


def test_the_first_delimiter_counts() -> None:
    assert split([DELIMITER, DELIMITER, *FOUR]) == ([], DELIMITER, FOUR)


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
