"""Colours for code, whatever language the kernel says it has."""

from __future__ import annotations

import re

import pytest

from minikernel.cli.highlight import PYTHON, Highlighter, language_of

CODE = "def f():\n    return 'x'"


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minikernel.cli.highlight.has_colours", lambda _: True)


@pytest.mark.usefixtures("colours")
def test_code_gets_colours_and_stays_what_it_is() -> None:
    highlighter = Highlighter()
    coloured = highlighter(CODE)
    assert coloured != CODE
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == CODE
    assert highlighter.for_prompt() is not None


@pytest.mark.usefixtures("colours")
def test_a_language_that_nobody_knows_has_none() -> None:
    highlighter = Highlighter("no such language\x1b")
    assert highlighter(CODE) == CODE
    assert highlighter.for_prompt() is None


def test_no_colours_where_the_terminal_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minikernel.cli.highlight.has_colours", lambda _: False)
    assert Highlighter()(CODE) == CODE


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ({"language_info": {"name": "julia", "pygments_lexer": "jl"}}, "jl"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"language_info": {"name": 3}}, PYTHON),
        ({"language_info": "julia"}, PYTHON),
        ({}, PYTHON),
    ],
)
def test_the_kernel_says_which_language(info: dict[str, object], language: str) -> None:
    assert language_of(info) == language
