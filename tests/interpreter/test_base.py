"""A failure without a traceback."""

from __future__ import annotations

import pytest

from minikernel.interpreter.base import Failure


class BrokenError(Exception):
    def __str__(self) -> str:
        raise LookupError("no text")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("gone\n  for good"), "OSError: gone for good"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
        (BrokenError(), "BrokenError: an exception without a text"),
    ],
)
def test_a_failure_has_a_name_and_a_text(error: BaseException, line: str) -> None:
    failure = Failure.of(error)
    assert failure.line == line
    assert failure.traceback == [f"{failure.ename}: {failure.evalue}"]
