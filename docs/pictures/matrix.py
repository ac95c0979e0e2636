"""Writes matrix.svg: every attack on every scheme as a small bar, from the table of the lab."""

from __future__ import annotations

from html import escape
from pathlib import Path

from minikernel.lab.attacks import ATTACKS
from minikernel.lab.columns import COLUMNS
from minikernel.lab.evidence import Outcome
from minikernel.lab.matrix import as_expected

FILE = Path(__file__).with_name("matrix.svg")
NAMES, STEP, WIDE, HIGH, ROW, HEAD = 150, 9, 7, 18, 26, 6  # pixels
KINDS = {  # colour, height of the bar, words
    Outcome.THROUGH: ("#d64545", HIGH, "let through"),
    Outcome.NOTICED: ("#e09a1a", 12, "something is lost, and its owner is told"),
    Outcome.STOPPED: ("#3c8a41", 5, "stopped"),
    Outcome.ABSENT: ("#999", 2, "nothing to attack so"),
}
# Grey can be read on light and on dark pages, whatever the reader's system is set to.
STYLE = "text { font: 13px system-ui, sans-serif; fill: #7d7d7d }"


def picture() -> str:
    """The SVG: a row for each scheme, and in it a path for each kind of outcome."""
    width = NAMES + STEP * len(ATTACKS) + 80
    height = HEAD + ROW * (len(COLUMNS) + 1) + 14
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{len(ATTACKS)} attacks on {len(COLUMNS)} schemes</title>",
        f"<style>{STYLE}</style>",
    ]
    for number, column in enumerate(COLUMNS):
        outcomes = [finding.outcome for finding in as_expected([column], ATTACKS)]
        lines += _row(column.name, outcomes, HEAD + ROW * number)
    lines += _legend(HEAD + ROW * len(COLUMNS) + 10)
    return "\n".join([*lines, "</svg>\n"])


def _row(name: str, outcomes: list[Outcome | None], top: int) -> list[str]:
    lines = [f'<text x="0" y="{top + 14}">{escape(name)}</text>']
    for kind in KINDS:
        places = [NAMES + STEP * at for at, found in enumerate(outcomes) if found is kind]
        lines += [_bars(kind, places, top)] if places else []
    through = outcomes.count(Outcome.THROUGH)
    end = NAMES + STEP * len(outcomes) + 8
    return [*lines, f'<text x="{end}" y="{top + 14}">{through} open</text>']


def _bars(kind: Outcome, places: list[int], top: int) -> str:
    colour, high, _ = KINDS[kind]
    path = "".join(f"M{left} {top + HIGH}v-{high}h{WIDE}v{high}z" for left in places)
    return f'<path fill="{colour}" d="{path}"/>'


def _legend(top: int) -> list[str]:
    lines, left = [], NAMES
    for kind, (_, _, said) in KINDS.items():
        lines.append(_bars(kind, [left], top))
        lines.append(f'<text x="{left + 12}" y="{top + 14}">{said}</text>')
        left += 34 + 7 * len(said)
    return lines


if __name__ == "__main__":
    FILE.write_text(picture())
