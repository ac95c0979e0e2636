"""The matrix as one self-contained SVG: no script, in light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from minikernel.lab.columns import COLUMNS
from minikernel.lab.evidence import Outcome
from minikernel.lab.text import WORDS, progress, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minikernel.lab.matrix import Finding

NAMES, CELL, LINE, HEAD = 270, 64, 20, 150  # pixels
CLASSES = {
    Outcome.THROUGH: "open",
    Outcome.NOTICED: "told",
    Outcome.STOPPED: "stopped",
    Outcome.ABSENT: "absent",
    None: "broke",
}
STYLE = """\
svg { background: #fff }
text { font: 13px system-ui, sans-serif; fill: #222 }
.open { fill: #c62828 } .told { fill: #ef9a00 } .stopped { fill: #2e7d32 }
.absent { fill: #bbb } .broke { fill: #6a1b9a }
text.cell { fill: #fff; text-anchor: middle; font-size: 12px }
.surprise { stroke: #000; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  svg { background: #181818 }
  text { fill: #ddd }
  .open { fill: #e05050 } .told { fill: #c98500 } .stopped { fill: #2f6f33 }
  .absent { fill: #555 }
  .surprise { stroke: #fff }
}"""


def svg(findings: Sequence[Finding]) -> str:
    """The matrix; each cell says on hover what was seen."""
    names = {finding.column for finding in findings}
    columns = [column.name for column in COLUMNS if column.name in names]
    titles = list(dict.fromkeys(finding.attack for finding in findings))
    width, height = NAMES + CELL * len(columns) + 80, HEAD + LINE * (len(titles) + 2)
    return "\n".join(
        [
            _start(width, height),
            f"<style>\n{STYLE}\n</style>",
            *_heads(columns),
            *(
                f'<text x="8" y="{HEAD + LINE * n + 14}">{escape(title)}</text>'
                for n, title in enumerate(titles)
            ),
            *(_cell(f, columns.index(f.column), titles.index(f.attack)) for f in findings),
            _legend(HEAD + LINE * len(titles) + 26),
            "</svg>",
        ]
    )


def _start(width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img"'
        ' aria-label="Attacks and what comes of them, by scheme">'
    )


def _heads(columns: Sequence[str]) -> Iterator[str]:
    for n, name in enumerate(columns):
        x = NAMES + CELL * n + CELL // 2
        yield f'<text transform="translate({x} {HEAD - 10}) rotate(-50)">{escape(name)}</text>'


def _cell(finding: Finding, column: int, row: int) -> str:
    x, y = NAMES + CELL * column, HEAD + LINE * row
    kind = CLASSES[finding.outcome] + (" surprise" if finding.is_surprise else "")
    said = escape(f"{finding.column}, {finding.attack}: {progress(finding)}")
    said = f"{said}: {escape(finding.expected.reason)}"
    return (
        f'<g><title>{said}</title><rect class="{kind}" x="{x + 1}" y="{y + 1}"'
        f' width="{CELL - 2}" height="{LINE - 2}" rx="3"/>'
        f'<text class="cell" x="{x + CELL // 2}" y="{y + 14}">{escape(word(finding))}</text></g>'
    )


def _legend(y: int) -> str:
    said = ", ".join(f"{WORDS[outcome]}: {outcome.value}" for outcome in Outcome)
    return f'<text x="8" y="{y}">{escape(said)}</text>'
