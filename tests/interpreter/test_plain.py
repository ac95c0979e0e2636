"""The engine that engines of one's own begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minikernel.interpreter.base import LanguageInfo, Outcome
from minikernel.interpreter.plain import PlainEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Recorder


class Echo(PlainEngine):
    """A cell's value is its text; "fail" fails, "wait" is interrupted."""

    info = LanguageInfo(name="echo", version="1")

    def run(self, code: str) -> str | None:
        if code == "fail":
            raise ValueError("failed")
        if code == "wait":
            self.interrupted()
        return code.strip() or None


@pytest.fixture
def engine(frontend: Recorder, tmp_path: Path) -> Iterator[Echo]:
    made = Echo(frontend, history_file=tmp_path / "history.sqlite")
    yield made
    made.close()


def execute(engine: Echo, code: str, **options: Any) -> Outcome:
    """As the kernel does: a cell that needs no loop ends at the first step."""
    asked: Any = {"silent": False, "store_history": True, "user_expressions": {}, **options}
    with pytest.raises(StopIteration) as ended:
        engine.execute(code, **asked).send(None)
    outcome: Outcome = ended.value.value
    return outcome


def past(engine: Echo, **asked: Any) -> list[Any]:
    fields = {"output": True, "session": 0, "start": 0, "stop": None, "n": 9}
    entries = engine.history("tail", **{**fields, "pattern": "*", "unique": False, **asked})
    return [entry[1:] for entry in entries]


def test_values_are_shown_counted_and_remembered(engine: Echo, frontend: Recorder) -> None:
    assert execute(engine, "a").failure is None
    assert execute(engine, " ").failure is None
    assert execute(engine, "b", silent=True).failure is None
    assert execute(engine, "c", store_history=False).failure is None
    assert frontend.results == [(1, {"text/plain": "a"}, {}), (1, {"text/plain": "c"}, {})]
    assert engine.execution_count == 1
    assert past(engine) == [(1, ("a", "a"))]
    assert engine.history_problem is None


def test_an_exception_is_a_failure_of_one_line(engine: Echo) -> None:
    failure = execute(engine, "fail").failure
    assert failure is not None
    assert (failure.ename, failure.evalue, len(failure.traceback)) == ("ValueError", "failed", 1)
    assert past(engine, output=False) == [(1, "fail")]


def test_interrupts_count_for_the_cell_that_runs(engine: Echo) -> None:
    engine.interrupted()  # between cells: nothing
    assert execute(engine, "a").failure is None
    failure = execute(engine, "wait").failure
    assert failure is not None
    assert failure.ename == "KeyboardInterrupt"
    engine.begin()
    engine.interrupted()  # before its first line
    failure = execute(engine, "b").failure
    assert failure is not None
    assert failure.ename == "KeyboardInterrupt"


def test_code_of_a_comm_is_interrupted_too(
    engine: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.running():
        engine.interrupted()
    assert "KeyboardInterrupt" in capsys.readouterr().err


def test_what_is_not_overridden_says_nothing(engine: Echo) -> None:
    found = engine.complete("a", 1)
    assert (found.matches, found.start, found.end) == ([], 1, 1)
    assert engine.inspect("a", 1, 0) is None
    assert engine.is_complete("a") == ("complete", "")


def test_run_must_be_written(frontend: Recorder) -> None:
    with pytest.raises(NotImplementedError):
        PlainEngine(frontend, history_file=None).run("")
