"""What each attack is expected to do to each scheme, and why: all that the attacks say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minikernel.lab.attacks import ATTACKS
from minikernel.lab.columns import SPECIFIED
from minikernel.lab.reasons import CIPHERTEXT, NOTHING, STOPPED, THROUGH

if TYPE_CHECKING:
    from minikernel.lab.evidence import Outcome, Row

BY_DEFAULT: Row = (("N", THROUGH, NOTHING), ("V", STOPPED, CIPHERTEXT))
"""What holds where an attack says nothing of the column."""


class Expectation(NamedTuple):
    """An outcome, and why it must be so."""

    outcome: Outcome
    reason: str


EXPECTED: dict[tuple[str, str], Expectation] = {
    (column.name, attack.title()): Expectation(outcome, reason)
    for attack in ATTACKS
    for letters, outcome, reason in (*BY_DEFAULT, *attack.expected)
    for column in SPECIFIED
    if column.letter in letters
}
"""(column, attack) -> what is expected."""
