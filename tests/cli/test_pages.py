"""Long texts."""

from __future__ import annotations

import pydoc

import pytest

from minikernel.cli.pages import page


@pytest.fixture
def paged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the pager was given."""
    given: list[str] = []
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setattr(pydoc, "pager", given.append)
    return given


@pytest.mark.parametrize(("lines", "terminal"), [(5, True), (5, False), (50, False)])
def test_a_text_is_printed(
    paged: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lines: int,
    terminal: bool,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    page("a line\n" * lines)
    assert capsys.readouterr().out == "a line\n" * lines
    assert paged == []


def test_a_text_that_is_longer_than_the_screen_is_paged(
    paged: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    page("a line\n" * 50)
    assert paged == ["a line\n" * 50]
    assert capsys.readouterr().out == ""
