"""What engines have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minikernel.interpreter.engine import CommonEngine

if TYPE_CHECKING:
    from pathlib import Path

TAIL: dict[str, Any] = {
    "output": False,
    "session": 0,
    "start": 0,
    "stop": None,
    "n": None,
    "pattern": "*",
    "unique": False,
}


@pytest.mark.parametrize("in_file", [False, True])
def test_cells_are_remembered(tmp_path: Path, in_file: bool) -> None:
    engine = CommonEngine(tmp_path / "history.sqlite" if in_file else None, {})
    engine._history.add(1, "x = 1")
    engine.save()
    assert engine.history("tail", **TAIL) == [(1, 1, "x = 1")]
    assert engine.history_problem is None
    engine.close()


def test_a_history_that_can_t_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").mkdir()
    engine = CommonEngine(tmp_path / "history.sqlite", {})
    engine._history.add(1, "x = 1")
    engine.save()
    assert engine.history_problem
    engine.close()


def test_an_error_outside_of_cells_is_printed_and_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = CommonEngine(None, {})
    with engine.running():
        raise LookupError("a callback that fails")
    assert "LookupError: a callback that fails" in capsys.readouterr().err
    engine.close()


def test_an_interrupt_between_cells_does_nothing() -> None:
    engine = CommonEngine(None, {})
    engine.interrupted()
    engine.close()
