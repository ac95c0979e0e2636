"""The bottom line of a console: what was rejected comes first, a narrow window cuts the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.client.escape import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel import Ledger

WIDE = 200  # columns of the longest line
DOT = " · "


def verdicts(
    ledger: Ledger, theirs: int | None, *, said: Sequence[str] = (), width: int = WIDE
) -> str:
    """One line: what was rejected, and what verified on each channel.

    Args:
        ledger: of this end.
        theirs: what the kernel rejected; None: unknown.
        said: comes after what was rejected.
        width: columns; what does not fit is left out, from the end.
    """
    rows = [row for row in ledger if row.beats is None]
    reasons = ", ".join(row.reasons for row in rows if row.rejected)
    parts = [f"rejected {ledger.rejected}" + (f": {reasons}" if reasons else "")]
    if theirs:
        parts.append(f"by the kernel {theirs}")
    parts += said
    parts += [f"{row.channel} {row.verified}{' ok' if row.verified else ''}" for row in rows]
    return " " + shortened(_fitting(parts, width - 1), min(width - 1, WIDE))


def _fitting(parts: Sequence[str], width: int) -> str:
    line = parts[0]
    for part in parts[1:]:
        if len(line) + len(DOT) + len(part) > width:
            break
        line += DOT + part
    return line
