"""What each attack is expected to do to each scheme, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minikernel.lab import expected_alone, expected_between
from minikernel.lab.columns import SPECIFIED

if TYPE_CHECKING:
    from minikernel.lab.evidence import Outcome


class Expectation(NamedTuple):
    """An outcome, and why it must be so."""

    outcome: Outcome
    reason: str


EXPECTED: dict[tuple[str, str], Expectation] = {
    (column.name, attack.title()): Expectation(outcome, reason)
    for attack, row in {**expected_alone.ROWS, **expected_between.ROWS}.items()
    for letters, outcome, reason in row
    for column in SPECIFIED
    if column.letter in letters
}
"""(column, attack) -> what is expected."""
