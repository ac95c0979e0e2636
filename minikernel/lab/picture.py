"""The matrix as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.client.picture import BAD, GOOD, PLAIN, WARN, Cell, matrix
from minikernel.lab.evidence import Outcome
from minikernel.lab.text import progress, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.client.picture import Picture
    from minikernel.lab.matrix import Finding

COLOURS = {
    Outcome.THROUGH: BAD,
    Outcome.NOTICED: WARN,
    Outcome.STOPPED: GOOD,
    Outcome.ABSENT: PLAIN,
    None: BAD,
}


def drawn(findings: Sequence[Finding]) -> Picture:
    """The matrix of these findings; on hover a cell shows what was seen, and why."""
    cells = {
        (f.attack, f.column): Cell(
            word(f), COLOURS[f.outcome], f"{progress(f)}: {f.expected.reason}"
        )
        for f in findings
    }
    rows = list(dict.fromkeys(row for row, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    return matrix(rows, columns, cells)
