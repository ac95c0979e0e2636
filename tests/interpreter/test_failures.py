from __future__ import annotations

import sys
from typing import Any

import pytest


def test_a_traceback_shows_the_cells_source_and_no_frame_of_ours(cell: Any, plain: Any) -> None:
    cell.good("def f():\n    return 1 / 0  # here")
    failure = cell.bad("x = 1\nf()")
    text = plain(failure)
    assert (failure.ename, failure.evalue) == ("ZeroDivisionError", "division by zero")
    assert 'File "<cell 2>", line 2, in <module>\n    f()' in text
    assert 'File "<cell 1>", line 2, in f\n    return 1 / 0  # here' in text
    assert "minikernel" not in text
    assert "\x1b[" in "\n".join(failure.traceback)


def test_a_traceback_line_has_no_newline(cell: Any) -> None:
    assert not any("\n" in line for line in cell.bad("def f():\n    1/0\nf()").traceback)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("x = (", "SyntaxError"),
        ("  x = 1\n y = 2", "IndentationError"),
        ("return 1", "SyntaxError"),
        ("x = 1\nyield x", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise StopIteration(1)", "StopIteration"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise MemoryError", "MemoryError"),
        ("class E(BaseException): pass\nraise E", "E"),
        ("next(iter(()))", "StopIteration"),
        ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
        ("import asyncio\nawait asyncio.sleep(0)\nraise SystemExit", "SystemExit"),
        ("import asyncio\nawait asyncio.sleep(0)\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import asyncio\nawait asyncio.sleep(0)\nraise asyncio.CancelledError", "CancelledError"),
        (
            "import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(1)",
            "CancelledError",
        ),
    ],
)
def test_whatever_a_cell_raises_is_a_failure(cell: Any, code: Any, name: Any) -> None:
    assert cell.bad(code).ename == name
    cell.good("'next'")
    assert cell.frontend.texts == ["'next'"]


def test_a_null_byte_is_a_failure(cell: Any) -> None:
    assert cell.bad("x = '\0'").ename in {"SyntaxError", "ValueError"}


def test_a_lone_surrogate_is_a_failure(cell: Any) -> None:
    assert cell.bad("x = '\ud800'").ename == "UnicodeEncodeError"


def test_a_cell_nested_too_deep_for_the_compiler_is_a_failure(cell: Any) -> None:
    assert cell.bad("(" * 5000 + ")" * 5000).ename in {
        "SyntaxError",
        "MemoryError",
        "RecursionError",
    }


def test_an_exception_with_broken_methods_is_a_failure(cell: Any, plain: Any) -> None:
    code = "class Odd(Exception):\n    def __str__(self): 1 / 0\n    __repr__ = __str__\nraise Odd"
    failure = cell.bad(code)
    assert failure.ename == "Odd"
    assert failure.evalue == "<unprintable Odd object>"
    assert "raise Odd" in plain(failure)


def test_an_exception_whose_str_raises_systemexit_does_not_escape(cell: Any) -> None:
    code = "class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd"
    assert cell.bad(code).ename == "Odd"


def test_causes_are_shown(cell: Any, plain: Any) -> None:
    text = plain(
        cell.bad("try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e")
    )
    assert "ZeroDivisionError: division by zero" in text
    assert "direct cause" in text
    assert text.endswith("KeyError: 'k'")


def test_an_endless_chain_of_causes_is_shown_once(cell: Any, plain: Any) -> None:
    text = plain(
        cell.bad("a, b = ValueError(1), TypeError(2)\na.__cause__ = b\nb.__cause__ = a\nraise a")
    )
    assert text.endswith("ValueError: 1")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="ExceptionGroup is from Python 3.11")
def test_exception_groups_are_shown_with_their_members(cell: Any, plain: Any) -> None:
    text = plain(cell.bad("raise ExceptionGroup('both', [ValueError(1), TypeError(2)])"))
    assert "ValueError: 1" in text
    assert "TypeError: 2" in text


def test_a_syntax_error_shows_the_line_and_no_frames(cell: Any, plain: Any) -> None:
    text = plain(cell.bad("x = 1\nx = = 2"))
    assert 'File "<cell 1>", line 2' in text
    assert "x = = 2" in text
    assert "Traceback" not in text


def test_the_last_exception_is_kept_for_pdb(cell: Any) -> None:
    cell.bad("def f():\n    inner = 5\n    1 / 0\nf()")
    assert sys.last_type is ZeroDivisionError
    last = sys.last_traceback
    assert last.tb_frame.f_code.co_filename == "<cell 1>"
    assert last.tb_next.tb_frame.f_locals["inner"] == 5


def test_a_failing_cell_shows_no_result(cell: Any) -> None:
    cell.bad("1\n2/0")
    assert cell.frontend.results == []


@pytest.mark.parametrize(
    "line",
    [
        "return x",
        "yield x",
        "break",
        "continue",
        "nonlocal y",
        "def f(a, a): pass",
        "f(a=1, a=2)",
        "*a, *b = x",
        "from __future__ import nonsense",
        "def f():\n    x = 1; global x",
    ],
)
def test_an_error_of_the_compiler_shows_its_line(cell: Any, plain: Any, line: str) -> None:
    failure = cell.bad(f"x = 1\n{line}")
    assert failure.ename == "SyntaxError"
    assert line.rsplit("\n", maxsplit=1)[-1].strip() in plain(failure)


@pytest.mark.parametrize(
    "code",
    [
        "    x = 5\n    x",
        "\tx = 5\n\tx",
        "\n\n  x = 4\n  if x:\n    x += 1\n  x",
        "    # a comment\n    x = 5\n    x",
        "  x = 5\n\n  x",
        "  import asyncio\n  x = await asyncio.sleep(0, 5)\n  x",
    ],
)
def test_a_cell_that_is_indented_as_a_whole_runs(cell: Any, code: str) -> None:
    cell.good(code)
    assert cell.frontend.texts == ["5"]


def test_the_source_of_an_indented_cell_is_that_which_ran(cell: Any) -> None:
    cell.good("    def f():\n        return 5\n    import inspect\n    s = inspect.getsource(f)")
    assert cell.value("s") == "def f():\n    return 5\n"
    failure = cell.bad("    x = (\n      1\n    y = 2")
    assert failure.ename == "SyntaxError"
