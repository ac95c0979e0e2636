"""What a protected kernelspec runs: its words, and what is imported before the kernel runs."""

from __future__ import annotations

import pytest

from minikernel.bridge.entry import parsed
from minikernel.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["D", "-f", "F"], ("D", "F", False, ())),
        (["D", "--require-private", "-f", "F", "--"], ("D", "F", True, ())),
        (["D", "-f", "F", "--", "--a", "--", "b"], ("D", "F", False, ("--a", "--", "b"))),
        (["D", "-f", "F", "--", "--require-private"], ("D", "F", False, ("--require-private",))),
    ],
)
def test_its_words(words: list[str], options: tuple[object, ...]) -> None:
    assert parsed(words) == options


@pytest.mark.parametrize(
    "words", [[], ["D"], ["D", "-f"], ["-f", "F"], ["D", "-f", "F", "x"], ["--", "D", "-f", "F"]]
)
def test_other_words(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="meant for a kernelspec"):
        parsed(words)
