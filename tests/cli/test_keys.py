"""The console's keys."""

from __future__ import annotations

import pytest

from minikernel.cli.app import main
from minikernel.cli.keys import KEYS


def test_the_help_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["console", "--help"])
    assert KEYS in capsys.readouterr().out


def test_they_fit_a_terminal() -> None:
    assert max(map(len, KEYS.splitlines())) <= 80
