from __future__ import annotations

import io
from itertools import islice
from typing import Any

import pytest

from minikernel.interpreter.stdin import Stdin, getpass_over, input_over


@pytest.fixture
def stdin(frontend: Any) -> Any:
    frontend.answers.extend(["one", "two", "three"])
    return Stdin(frontend)


def test_readline_asks_for_a_line_without_a_prompt(stdin: Any, frontend: Any) -> None:
    assert stdin.readline() == "one\n"
    assert frontend.questions == [("", False)]


def test_iteration_asks_line_by_line(stdin: Any, frontend: Any) -> None:
    assert list(islice(stdin, 2)) == ["one\n", "two\n"]
    assert len(frontend.questions) == 2


def test_read_gives_one_line(stdin: Any) -> None:
    assert stdin.read() == "one\n"
    assert stdin.read(3) == "two\n"


def test_readlines_ends_with_its_hint(stdin: Any) -> None:
    assert stdin.readlines(5) == ["one\n", "two\n"]


def test_the_end_of_the_input_ends_every_way_of_reading() -> None:
    class AtEnd:
        def input(self, prompt: str, *, password: bool = False) -> str:
            raise EOFError(prompt, password)

    stdin: Any = Stdin(AtEnd())  # type: ignore[arg-type]
    assert stdin.readline() == stdin.read() == ""
    assert list(stdin) == []


def test_it_is_a_readable_text_stream_on_descriptor_0(stdin: Any) -> None:
    assert isinstance(stdin, io.TextIOBase)
    assert stdin.readable()
    assert not stdin.writable()
    assert not stdin.isatty()
    assert stdin.fileno() == 0
    assert stdin.encoding == "utf-8"
    with pytest.raises(io.UnsupportedOperation):
        stdin.detach()


def test_input_takes_any_prompt(frontend: Any) -> None:
    frontend.answers.extend("ab")
    ask = input_over(frontend)
    assert (ask(), ask(3)) == ("a", "b")
    assert frontend.questions == [("", False), ("3", False)]


def test_getpass_has_the_prompt_of_the_standard_library(frontend: Any) -> None:
    frontend.answers.append("x")
    assert getpass_over(frontend)() == "x"
    assert frontend.questions == [("Password: ", True)]


def test_cells_read_from_sys_stdin(cell: Any) -> None:
    cell.frontend.answers.append("line")
    cell.good("import sys\nsys.stdin.readline()")
    assert cell.frontend.texts == ["'line\\n'"]
