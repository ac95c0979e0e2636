"""The tables of docs/handshakes.md are those of the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.challenge_once.client import ClientHandshake
from minikernel.auth.challenge_once.kernel import KernelHandshake
from minikernel.auth.channel_hmac.joining import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = Path(__file__).parents[2] / "docs" / "handshakes.md"
TABLES: dict[str, Mapping[Any, Any]] = {
    "challenge-once, the client": ClientHandshake.STEPS,
    "challenge-once, the kernel": KernelHandshake.STEPS,
    "channel-hmac, a client": STEPS,
}


def lines(steps: Mapping[Any, Any]) -> Iterator[str]:
    """A table in Markdown."""
    has_events = isinstance(next(iter(steps)), tuple)
    heads = ["waits for", *(["event"] if has_events else []), "then waits for", "and does"]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for at, (state, action) in steps.items():
        cells = [each.value for each in (at if has_events else (at,))]
        yield f"| {' | '.join([*cells, state.value, action.__doc__.strip()])} |"


@pytest.mark.parametrize("name", list(TABLES))
def test_the_page_shows_the_table(name: str) -> None:
    assert "\n".join(lines(TABLES[name])) + "\n" in PAGE.read_text()
