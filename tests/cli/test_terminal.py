from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.cli import terminal
from minikernel.cli.terminal import RESET, SGR, has_colours, safe, style


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 日本\n\tx", "plain ä 日本\n\tx"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[38:5:1mred", f"\x1b[38:5:1mred{RESET}"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[6n\x1b[?1m\x1bPq", r"\x1b[6n\x1b[?1m\x1bPq"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\r\nc\b", "a\nb\nc\\x08"),
        ("\u202egpj", r"\u202egpj"),
    ],
)
def test_what_acts_on_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert safe(text, colours=True) == shown


def test_without_colours() -> None:
    assert safe("\x1b[31mred\x1b[0m \x1b[2J", colours=False) == r"red \x1b[2J"


def test_what_else_is_kept() -> None:
    assert safe("10%\r20%\x07", colours=False, keep="\n\r") == "10%\r20%\\x07"


@given(st.text(st.sampled_from("\x1b[]0;1mHJ\x07\x9b\r\n\tä\u202e") | st.characters()))
def test_only_colours_newlines_and_tabs_get_through(text: str) -> None:
    shown = SGR.sub("", safe(text, colours=True))
    assert all(c.isprintable() or c in "\n\t" for c in shown)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_colours(Terminal())
    assert not has_colours(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colours(Terminal())


@pytest.mark.parametrize(("value", "colours"), [("", True), ("1", False), ("0", False)])
def test_no_color(monkeypatch: pytest.MonkeyPatch, value: str, colours: bool) -> None:
    monkeypatch.setenv("NO_COLOR", value)  # no-color.org: whatever it is, unless it is empty
    assert has_colours(Terminal()) is colours


def test_a_style(monkeypatch: pytest.MonkeyPatch) -> None:
    assert style("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert style("x", "red", io.StringIO()) == "x"
    monkeypatch.setattr("sys.stdout", Terminal())
    assert style("x", "bold") == "\x1b[1mx\x1b[0m"


def test_the_text_of_a_bundle() -> None:
    assert terminal.plain_text({"text/plain": "x", "text/html": "<b>"}) == "x"
    assert terminal.plain_text({"image/png": ""}) == terminal.plain_text("no dict") == ""
