from __future__ import annotations

import re
from typing import Any

import pytest

from minikernel.interpreter.tracebacks import failure_of, message


def failure(code: str) -> Any:
    try:
        exec(compile(code, "<cell 1>", "exec"), {})
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is described
        return failure_of(error)
    raise AssertionError("the code did not fail")


def colours(line: str) -> list[str]:
    return re.findall(r"\x1b\[[\d;]+m", line)


def test_names_files_and_lines_are_coloured() -> None:
    lines = failure("1/0").traceback
    assert colours(lines[0])
    assert any("<cell 1>" in line and colours(line) for line in lines)
    assert lines[-1].startswith("\x1b[1;31mZeroDivisionError\x1b[0m:")


def test_every_line_closes_its_colours() -> None:
    for line in failure("def f(): f()\nf()").traceback:
        found = colours(line)
        assert not found or found[-1] == "\x1b[0m"


def test_every_exception_of_a_chain_is_coloured() -> None:
    lines = failure("try:\n    1/0\nexcept Exception as e:\n    raise KeyError from e").traceback
    assert sum(line.startswith("\x1b[1;31m") for line in lines) == 2


def test_the_users_text_is_not_taken_for_a_frame() -> None:
    assert failure("raise ValueError('a\\nb: c')").traceback[-1] == "b: c"


def test_a_qualified_name_is_coloured_whole() -> None:
    lines = failure("import json\njson.loads('x')").traceback
    assert lines[-1].startswith("\x1b[1;31mjson.decoder.JSONDecodeError\x1b[0m: ")


@pytest.mark.parametrize("broken", ["__str__", "__cause__", "__notes__", "__class__"])
def test_an_exception_may_be_broken_anywhere(broken: Any) -> None:
    code = (
        f"class E(Exception):\n    @property\n    def {broken}(self): raise RuntimeError\nraise E"
    )
    found = failure(code)
    assert found.ename == "E"
    assert found.traceback


def test_a_message_has_no_traceback() -> None:
    found = message("UsageError", "no")
    assert (found.ename, found.evalue, len(found.traceback)) == ("UsageError", "no", 1)
