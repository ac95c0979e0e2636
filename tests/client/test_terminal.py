"""Questions at a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from minikernel.client.terminal import END_OF_FILE, ask_terminal

EVIL = "\x1b]0;t\x07\x9b2J\x1b[2J\u202e\x08\x7f"
COLOURS = {"\x1b[31m", "\x1b[0m"}


def harmless(text: str) -> bool:
    for colour in COLOURS:
        text = text.replace(colour, "")
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.mark.parametrize("password", [True, False])
def test_questions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], password: bool
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Ada\n"))
    monkeypatch.setattr("minikernel.client.terminal.getpass", input)
    assert ask_terminal(f"\x1b[31m{EVIL}?", password) == "Ada"
    assert harmless(capsys.readouterr().out)


def test_questions_in_a_poor_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("Ada\n"))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "ascii"))
    assert ask_terminal("N\xe4me? ", password=False) == "Ada"
    sys.stdout.flush()
    assert written.getvalue() == b"N\\xe4me? "


def test_the_end_of_the_input_is_answered_as_jupyter_client_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert ask_terminal("Name? ", password=False) == END_OF_FILE == "\x04"
