"""What was found, and what is expected, as text, JSON and Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minikernel.lab.attacks import BY_TITLE
from minikernel.lab.columns import COLUMNS
from minikernel.lab.evidence import Outcome
from minikernel.lab.expected import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minikernel.lab.columns import Column
    from minikernel.lab.evidence import Attack
    from minikernel.lab.matrix import Finding

WORDS = {
    Outcome.THROUGH: "OPEN",
    Outcome.NOTICED: "told",
    Outcome.STOPPED: "-",
    Outcome.ABSENT: "n/a",
    None: "broke",
}
SURPRISE = "!"
LEGEND = """\
OPEN  let through: the attacker got what it wanted, and nobody was told
told  something is lost, and its owner can see what
-     stopped
n/a   the scheme has nothing that could be attacked so
!     not what was expected"""
NAME_WIDTH = 34
CELL_WIDTH = 6


def matrix(findings: Sequence[Finding]) -> str:
    """A table of at most 80 columns, and its legend."""
    columns = _columns(findings)
    lines = [f"{c.letter}  {c.name}" for c in columns]
    lines += ["", " " * NAME_WIDTH + "".join(f"{c.letter:<{CELL_WIDTH}}" for c in columns).rstrip()]
    found = {(f.column, f.attack): f for f in findings}
    for title in dict.fromkeys(f.attack for f in findings):
        row = "".join(f"{word(found[c.name, title]):<{CELL_WIDTH}}" for c in columns)
        lines.append(f"{title:<{NAME_WIDTH}}{row}".rstrip())
    counts = [
        sum(f.outcome is Outcome.THROUGH for f in findings if f.column == c.name) for c in columns
    ]
    lines.append(
        f"{'let through':<{NAME_WIDTH}}{''.join(f'{n:<{CELL_WIDTH}}' for n in counts)}".rstrip()
    )
    return "\n".join([*lines, "", LEGEND, *_surprises(findings)])


def _columns(findings: Iterable[Finding]) -> list[Column]:
    names = {finding.column for finding in findings}
    return [column for column in COLUMNS if column.name in names]


def word(finding: Finding) -> str:
    """The cell of a finding."""
    return WORDS[finding.outcome] + (SURPRISE if finding.is_surprise else "")


def _surprises(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.is_surprise:
            yield ""
            yield f"{finding.column}, {finding.attack}: {progress(finding)}"
            yield f"  expected: {finding.expected.outcome.value}, {finding.expected.reason}"


def progress(finding: Finding) -> str:
    """What came of it, in a line."""
    outcome = "broke down" if finding.outcome is None else finding.outcome.value
    return f"{outcome} ({finding.seen})" if finding.seen else outcome


def as_json(findings: Iterable[Finding]) -> str:
    """All findings, with what was expected."""
    return json.dumps(
        [
            {
                "scheme": finding.column,
                "attack": finding.attack,
                "outcome": finding.outcome and finding.outcome.value,
                "seen": finding.seen,
                "expected": finding.expected.outcome.value,
                "reason": finding.expected.reason,
                "surprise": finding.is_surprise,
                "seconds": round(finding.seconds, 3),
            }
            for finding in findings
        ],
        indent=2,
    )


def explained(attack: type[Attack]) -> str:
    """Steps, frames, and for each scheme what comes of it and why."""
    lines = [f"{attack.title()}: {attack.what()}", "", "steps"]
    lines += [f"  {n}. {step}" for n, step in enumerate(attack.steps, 1)]
    lines += ["", "on the wire", *(f"  {frames}" for frames in attack.wire), "", "what comes of it"]
    for outcome, reason, names in _reasons(attack):
        lines += [f"  {outcome.value}: {', '.join(names)}", f"    {reason}"]
    return "\n".join(lines)


def _reasons(attack: type[Attack]) -> Iterator[tuple[Outcome, str, list[str]]]:
    """Outcome and reason, with the columns that share them."""
    groups: dict[tuple[Outcome, str], list[str]] = {}
    for column in COLUMNS:
        expectation = EXPECTED[column.name, attack.title()]
        groups.setdefault((expectation.outcome, expectation.reason), []).append(column.name)
    for (outcome, reason), names in groups.items():
        yield outcome, reason, names


INTRODUCTION = """\
# Attacks

`minikernel lab` plays these attacks over real sockets: a man in the middle on all five channels,
strangers, other clients that hold a key, and kernels that are killed and started again. What came
of an attack is read from what was executed, shown or lost, never from what a scheme says of it;
"told" means that the number of messages that are missing rose by as many as were dropped. Tests
play them all, and fail when one of them differs from this page. Others take out the
guards, one after the other (`tests/lab/guards.py`), and fail if the attack does not go through.

Under CURVE many attacks end early: they begin with a message that the man in the middle has read,
and he sees only ciphertext. They count as stopped once it was seen that nothing which passed could
be read; what they would have done next is not tried. "Stopped" means that nothing happened within
a deadline, a second for most.

```console
minikernel lab
minikernel lab --scheme jupyter-hmac --attack swap-requests
minikernel lab --explain swap-requests
```

The victim is this project's client. `null`, `clear-key` and `jupyter-hmac-bare` run with
`--guards off`. What each scheme can prove on each channel is in [channels.md](channels.md).
This page is written by `make docs-lab`.
"""


def markdown(findings: Sequence[Finding]) -> str:
    """The page about attacks, with these findings."""
    columns = _columns(findings)
    found = {(f.column, f.attack): f for f in findings}
    titles = list(dict.fromkeys(f.attack for f in findings))
    lines = [INTRODUCTION, "| attack | " + " | ".join(c.name for c in columns) + " |"]
    lines.append("|---|" + "---|" * len(columns))
    for title in titles:
        cells = " | ".join(_cell(found[c.name, title]) for c in columns)
        lines.append(f"| [{title}](#{title}) | {cells} |")
    counts = [
        sum(found[c.name, title].outcome is Outcome.THROUGH for title in titles) for c in columns
    ]
    lines.append("| let through | " + " | ".join(map(str, counts)) + " |")
    lines += ["", "```", LEGEND, "```"]
    for title in titles:
        lines += _section(BY_TITLE[title])
    return "\n".join(lines)


def _cell(finding: Finding) -> str:
    return f"**{word(finding)}**" if finding.outcome is Outcome.THROUGH else word(finding)


def _section(attack: type[Attack]) -> Iterator[str]:
    yield from ("", f"## {attack.title()}", "", attack.what(), "")
    yield from (f"{n}. {step}" for n, step in enumerate(attack.steps, 1))
    yield from ("", "```", *attack.wire, "```", "")
    for outcome, reason, names in _reasons(attack):
        yield f"- {', '.join(names)}: {outcome.value}: {reason}"
