from __future__ import annotations

import re
import signal
import sys
from typing import Any

import pytest


def answers(cell: Any, *lines: Any) -> None:
    cell.frontend.answers.extend(lines)


@pytest.mark.parametrize("stop", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_a_stop_in_a_cell_asks_over_the_frontend(cell: Any, capsys: Any, stop: Any) -> None:
    answers(cell, "p secret * 2", "c")
    cell.good(f"def f():\n    secret = 21\n    {stop}\n    return secret\nf()")
    out = capsys.readouterr().out
    assert "42" in out
    assert "<cell 1>" in out
    assert [prompt for prompt, _ in cell.frontend.questions] == ["(Pdb) ", "(Pdb) "]
    assert cell.frontend.texts == ["21"]


def test_pdb_lists_the_source_of_the_cell(cell: Any, capsys: Any) -> None:
    answers(cell, "l", "c")
    cell.good("x = 'before'\nbreakpoint()\ny = 'after'")
    assert "y = 'after'" in capsys.readouterr().out


def test_a_breakpoint_set_in_pdb_stops_there(cell: Any, capsys: Any) -> None:
    cell.good("def f(n):\n    n = n + 1\n    return n * 100")
    answers(cell, "b f", "c", "p 'in f', n", "c")
    cell.good("breakpoint()\nf(1)")
    assert "('in f', 1)" in capsys.readouterr().out


def test_stepping_over_the_end_of_a_cell_does_not_enter_the_engine(cell: Any, capsys: Any) -> None:
    answers(cell, *["s"] * 12)
    cell("breakpoint()\nx = 1")
    cell.good("y = 2")
    assert cell.value("y") == 2
    assert sys.gettrace() is None or "pdb" not in repr(sys.gettrace())
    assert "minikernel" not in capsys.readouterr().out


def test_quitting_pdb_fails_the_cell(cell: Any) -> None:
    answers(cell, "q", "y")
    outcome = cell("breakpoint()\nx = 'went on'")
    assert outcome.failure is not None
    assert cell.value("'x' in globals()") is False


def test_post_mortem_looks_at_the_last_failure(cell: Any, capsys: Any) -> None:
    cell.bad("def f():\n    clue = 'candlestick'\n    1 / 0\nf()")
    answers(cell, "p clue", "u", "q")
    cell("import pdb\npdb.pm()")
    assert "candlestick" in capsys.readouterr().out


def test_continue_leaves_the_interrupt_handler_alone(cell: Any) -> None:
    before = signal.getsignal(signal.SIGINT)
    answers(cell, "c")
    cell.good("breakpoint()\nx = 1")
    assert signal.getsignal(signal.SIGINT) is before


def test_sys_exit_in_pdb_does_not_escape(cell: Any) -> None:
    answers(cell, "!import sys; sys.exit(3)", "c", "c")
    cell("breakpoint()\nx = 1")
    cell.good("'alive'")


def test_pythonbreakpoint_is_respected(cell: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    cell.good("breakpoint()")
    assert cell.frontend.questions == []


def test_a_trace_function_of_the_users_stays(cell: Any) -> None:
    before = sys.gettrace()
    cell.good("import pdb, sys\ndef tracer(*_): return None\nsys.settrace(tracer)")
    try:
        assert re.search("tracer", repr(sys.gettrace()))
    finally:
        sys.settrace(before)


def test_pdb_that_may_not_ask_fails_the_cell(cell: Any) -> None:
    assert cell.bad("breakpoint()\nx = 1").ename == "NotImplementedError"
    cell.good("'alive'")
