"""The table of channels as text and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.channels import BACKED, CONSEQUENCES, PROPERTIES, STATEMENTS, can_prove
from minikernel.lab.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel.lab.channels import Statement
    from minikernel.lab.columns import Column
    from minikernel.lab.evidence import Attack

ROW = "{:<9} {:<9} " + "{:<9} " * len(PROPERTIES)


def text() -> str:
    """A table for each scheme; then the attack behind each cell."""
    lines: list[str] = []
    for column in COLUMNS:
        lines += [column.name, _row("channel", "direction", *PROPERTIES)]
        for (channel, direction), backing in BACKED.items():
            cells = (_cell(column, backing[name]) for name in PROPERTIES)
            lines.append(_row(channel, direction, *cells))
        lines.append("")
    lines += [f"{name:<10} {meaning}" for name, meaning in PROPERTIES.items()]
    lines += ["", "yes: the attack on it fails, or what it lost is told; no: it succeeds", ""]
    for (channel, direction), backing in BACKED.items():
        lines.append(f"{channel} {direction}")
        lines += [f"  {name:<10} {attack.title()}" for name, attack in backing.items()]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return ROW.format(*cells).rstrip()


def _cell(column: Column, attack: type[Attack]) -> str:
    return "yes" if can_prove(column, attack) else "no"


INTRODUCTION = """\
# Who can prove what to whom, on each channel

A cell says whether the receiver can tell, and names the attack of [attacks.md](attacks.md) that
fails if it can and succeeds if it can't. It counts as failed, too, if its victim is told that
something is missing: a receiver can't have more than that. This page is written by `make docs-lab`;
`minikernel lab --channels` shows the same in a terminal.

| property | meaning |
|---|---|"""
THREAD = """\
## What was said in 2011

In June 2011 IPython's developers asked on their list how to authenticate the new ZeroMQ sockets
(IPython-dev, thread "pyzmq authentication"). Min Ragan-Kelley (MinRK) answered a proposal to use
the one-time challenge of `multiprocessing`. What he said, in our words with a few of his, and under
which schemes it holds:
"""
OURS = """\
## What else can be seen

Not from the thread, but from the attacks:
"""


def markdown() -> str:
    """The page about channels."""
    lines = [INTRODUCTION]
    lines += [f"| {name} | {meaning} |" for name, meaning in PROPERTIES.items()]
    for column in COLUMNS:
        lines += ["", f"## {column.name}", "", *_table(column)]
    lines += ["", THREAD]
    for statement in STATEMENTS:
        lines += [*_said(statement), ""]
    lines.append(OURS)
    for statement in CONSEQUENCES:
        lines += [*_said(statement), ""]
    return "\n".join(lines).rstrip()


def _table(column: Column) -> Iterator[str]:
    yield "| channel | direction | " + " | ".join(PROPERTIES) + " |"
    yield "|---|---|" + "---|" * len(PROPERTIES)
    for (channel, direction), backing in BACKED.items():
        cells = (
            f"[{_cell(column, backing[name])}](attacks.md#{backing[name].title()})"
            for name in PROPERTIES
        )
        yield f"| {channel} | {direction} | " + " | ".join(cells) + " |"


def _said(statement: Statement) -> Iterator[str]:
    title = statement.attack.title()
    holds = [c.name for c in COLUMNS if not can_prove(c, statement.attack)]
    ended = [c.name for c in COLUMNS if can_prove(c, statement.attack)]
    yield f"- {statement.said}"
    yield f"  Holds under: {', '.join(holds) or 'none'}."
    yield f"  No longer under: {', '.join(ended) or 'none of these'}."
    yield f"  Shown by [{title}](attacks.md#{title})."
