"""Ledgers: what was sent, verified and rejected on each channel, and for which reason."""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minikernel.client.escape import shortened
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minikernel.protocol.end import Tally

WIDTH = 80  # columns of a terminal
NAME_WIDTH = 9
REASON_LENGTH = 40
COLUMNS = ("channel", "sent", "verified", "rejected", "reasons")
TABLE = "{:<9} {:>9} {:>9} {:>9}  {}"
REASONS_AT = len(TABLE.format("", "", "", "", ""))
HEARTBEAT = "heartbeat"
OURS, THEIRS = "what this client has counted", "what the kernel has counted"
NAMES = {Channel.HEARTBEAT.value: HEARTBEAT}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One channel: what this end sent, and what came in.

    Args:
        channel: its name.
        sent: messages sent.
        verified: messages received and found authentic and permitted.
        rejected: messages received and dropped, by reason.
        gaps: messages that were sent here and never came, as far as the scheme can tell.
        beats: heartbeats that were answered; only on that channel.
    """

    channel: str
    sent: int = 0
    verified: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    gaps: int = 0
    beats: int | None = None

    @property
    def refusals(self) -> int:
        """How many messages were rejected in all."""
        return sum(self.rejected.values())

    @property
    def reasons(self) -> str:
        """The reasons with their numbers, the most frequent first, escaped; what is missing."""
        if self.beats is not None:
            return f"answered {self.beats} times" if self.beats else "not answered yet"
        ranked = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
        said = [f"{shortened(reason, REASON_LENGTH)} {n}" for reason, n in ranked]
        return ", ".join([*said, f"missing {self.gaps}"] if self.gaps else said)

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The row as text, in the order of `COLUMNS`."""
        name = shortened(self.channel, NAME_WIDTH)
        if self.beats is not None:
            return (name, "", "", "", self.reasons)
        return (name, str(self.sent), str(self.verified), str(self.refusals), self.reasons)


@dataclass(frozen=True)
class Ledger:
    """The rows of all channels of one end, at one moment.

    `str()` gives a table of at most 80 columns; notebooks show it as HTML.
    """

    rows: tuple[Row, ...]
    whose: str = field(default="", compare=False)  # a line above the table

    @classmethod
    def from_tallies(
        cls, tallies: Mapping[Channel, Tally], beats: int, gaps: Mapping[Channel, int]
    ) -> Ledger:
        """The ledger of this process's own ends."""
        rows = [
            Row(
                channel=channel.value,
                sent=tally.sent,
                verified=tally.verified,
                rejected=dict(tally.rejected),
                gaps=gaps.get(channel, 0),
            )
            for channel, tally in tallies.items()
        ]
        return cls((*rows, Row(channel=HEARTBEAT, beats=beats)), OURS)

    @classmethod
    def from_status(cls, content: Mapping[str, Any]) -> Ledger:
        """The ledger in the content of an `auth_status_reply`; what is malformed counts as 0."""
        channels = content.get("channels")
        items = channels.items() if isinstance(channels, dict) else ()
        rows = (_row(str(name), said) for name, said in items if isinstance(said, dict))
        return cls(tuple(rows), THEIRS)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, channel: str) -> Row:
        """The row of a channel, by its name.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.channel == channel:
                return row
        raise KeyError(channel)

    @property
    def verified(self) -> int:
        """Messages verified on all channels."""
        return sum(row.verified for row in self.rows)

    @property
    def rejected(self) -> int:
        """Messages rejected on all channels."""
        return sum(row.refusals for row in self.rows)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Plain data, by channel, in the form of an `auth_status_reply`."""
        return {
            row.channel: {
                "sent": row.sent,
                "verified": row.verified,
                "rejected": dict(row.rejected),
                "gaps": row.gaps,
            }
            if row.beats is None
            else {"beats": row.beats}
            for row in self.rows
        }

    def __str__(self) -> str:
        table = (line for cells in (COLUMNS, *self._cells()) for line in _lines(cells))
        return "\n".join([self.whose, *table] if self.whose else table)

    def _cells(self) -> Iterator[tuple[str, str, str, str, str]]:
        return (row.cells for row in self.rows)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in self._cells()
        )
        whose = f"<caption>{html.escape(self.whose)}</caption>" if self.whose else ""
        return f"<table>{whose}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(name: str, said: Mapping[str, Any]) -> Row:
    name = NAMES.get(name, name)
    if "beats" in said:
        return Row(channel=name, beats=_count(said["beats"]))
    rejected = said.get("rejected")
    return Row(
        channel=name,
        sent=_count(said.get("sent")),
        verified=_count(said.get("verified")),
        rejected={str(reason): _count(n) for reason, n in rejected.items()}
        if isinstance(rejected, dict)
        else {},
        gaps=_count(said.get("gaps")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _lines(cells: tuple[str, str, str, str, str]) -> Iterator[str]:
    """A row of the table; reasons that don't fit go on below."""
    first, *more = textwrap.wrap(cells[4], WIDTH - REASONS_AT, break_long_words=True) or [""]
    yield TABLE.format(*cells[:4], first).rstrip()
    for line in more:
        yield " " * REASONS_AT + line
