"""Pictures for notebooks: inline SVG without script, legible on light and dark pages.

Text and lines take the colour of the page's text; fills are translucent. Every text is escaped.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from minikernel.client.escape import shortened
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GOOD, BAD, WARN, PLAIN = "#2e9d4f", "#e04848", "#d99000", "#888888"
WIDTH = 760  # pixels
LINE, SMALL = 24, 16  # pixels from one row to the next, from one line of a frame to the next
SANS = 'font-family="system-ui, sans-serif" font-size="13"'
MONO = 'font-family="ui-monospace, monospace" font-size="12"'
COLOURS = (
    "<style>svg { color: #222; background: #fff }"
    " @media (prefers-color-scheme: dark) { svg { color: #ddd; background: #181818 } }</style>"
)
FRAMES = ("header", "parent_header", "metadata", "content")
CHARACTERS, LINES = 84, 3  # of a frame that are shown: in a line, and lines
SIGNATURE = 24  # characters of a signature that are shown: under some schemes it is a secret
CHANNEL_HMAC = b"MKC1"


class Picture:
    """An SVG; notebooks show it, `str()` gives its source.

    Args:
        height: pixels.
        body: elements of SVG.
        title: what is to be seen, for those who listen.
        width: pixels.
    """

    def __init__(self, height: int, body: Iterable[str], title: str, width: int = WIDTH) -> None:
        self._title = title
        self._svg = "".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
                f' width="{width}" height="{height}" role="img" style="max-width:100%;height:auto"',
                f' aria-label="{_escaped(title)}" fill="currentColor" stroke="none">',
                *body,
                "</svg>",
            )
        )

    def __repr__(self) -> str:
        return f"Picture({self._title})"

    def __str__(self) -> str:
        return self._svg

    def _repr_html_(self) -> str:
        return self._svg

    def standalone(self) -> str:
        """For a file: with colours of its own, since no page around it has any."""
        head, body = self._svg.split(">", 1)
        return f"{head}>{COLOURS}{body}"


class Step(NamedTuple):
    """A message in a sequence diagram."""

    source: str
    target: str
    label: str
    kind: str = GOOD  # a colour
    note: str = ""  # behind the label; tells more than the colour


class Cell(NamedTuple):
    """A cell of a matrix."""

    word: str
    kind: str = PLAIN  # a colour
    hint: str = ""  # shown on hover


class Span(NamedTuple):
    """A stretch of a timeline; a point if it ends where it starts."""

    lane: str
    start: float
    end: float
    label: str
    kind: str = GOOD  # a colour


def sequence(steps: Sequence[Step], actors: Sequence[str] = ()) -> Picture:
    """Who sent what to whom, from top to bottom.

    Args:
        steps: the messages.
        actors: from left to right; those of the steps are added.
    """
    names = list(dict.fromkeys([*actors, *(n for step in steps for n in step[:2])]))
    gap = (WIDTH - 160) / max(1, len(names) - 1)
    places = {name: 80 + gap * n for n, name in enumerate(names)}
    height = 44 + (LINE + 8) * len(steps)
    body = []
    for name, x in places.items():
        body += [_text(x, 18, name, "middle", bold=True), _line(x, 26, x, height - 6)]
    for n, step in enumerate(steps):
        body.append(_arrow(step, places, 54 + (LINE + 8) * n))
    return Picture(height, body, f"{len(steps)} messages between {', '.join(names)}")


def _arrow(step: Step, places: Mapping[str, float], y: float) -> str:
    start, end = places[step.source], places[step.target]
    back = 8 if end > start else -8
    head = f"{end},{y} {end - back},{y - 4} {end - back},{y + 4}"
    said = f"{step.label}  {step.note}".rstrip()
    dash = ' stroke-dasharray="5 3"' if step.kind == BAD else ""
    return (
        _line(start, y, end - back, y, kind=step.kind, more=f' stroke-width="2"{dash}')
        + f'<polygon points="{head}" fill="{step.kind}"/>'
        + _text((start + end) / 2, y - 6, said, "middle")
    )


def frames(message: Sequence[bytes], *, covers: str | None = None) -> Picture:
    """A message frame by frame; what its signature covers is green.

    Args:
        message: as it is on the wire.
        covers: "json": the four JSON frames; "all": buffers too; "none"; None: as the signature
            frame suggests.
    """
    if DELIMITER not in message:  # nobody's message, as a trace shows it
        return _rows([(f"frame {n}", _shown(frame), PLAIN) for n, frame in enumerate(message, 1)])
    at = list(message).index(DELIMITER)
    auth = bytes(message[at + 1]) if len(message) > at + 1 else b""
    if covers is None:
        covers = "all" if auth.startswith(CHANNEL_HMAC) else "json" if auth else "none"
    until = {"json": len(FRAMES), "all": len(message)}.get(covers, 0)
    rows = [("identity or topic", _shown(frame), PLAIN) for frame in message[:at]]
    rows.append(("delimiter", _shown(message[at]), PLAIN))
    rows.append(("signature", _shown(auth, SIGNATURE), WARN))
    for n, frame in enumerate(message[at + 2 :]):
        name = FRAMES[n] if n < len(FRAMES) else f"buffer {n - len(FRAMES) + 1}"
        rows.append((name, _shown(frame), GOOD if n < until else PLAIN))
    return _rows(rows)


def _rows(rows: Sequence[tuple[str, str, str]]) -> Picture:
    body, y = [], 4
    for name, said, kind in rows:
        lines = [said[n : n + CHARACTERS] for n in range(0, len(said), CHARACTERS)]
        height = LINE + SMALL * (len(lines) - 1)
        body += [_text(116, y + 15, name, "end"), _box(124, y, WIDTH - 132, height - 3, kind)]
        body += [_text(132, y + 15 + SMALL * n, line, font=MONO) for n, line in enumerate(lines)]
        y += height
    body += [_box(124, y + 4, 14, 12, GOOD), _text(144, y + 14, "covered by the signature")]
    body += [_box(320, y + 4, 14, 12, PLAIN), _text(340, y + 14, "not covered")]
    return Picture(y + LINE, body, "the frames of a message: " + ", ".join(r[0] for r in rows))


def _shown(frame: bytes, length: int = CHARACTERS * LINES) -> str:
    raw = bytes(frame)
    try:
        return shortened(raw.decode() or "(empty)", length)
    except UnicodeDecodeError:
        return shortened(raw.hex(" "), length)


def matrix(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell]
) -> Picture:
    """A table of coloured words.

    Args:
        rows: their names.
        columns: their names.
        cells: by row and column; those that are missing stay empty.
    """
    left, top = 240, 100
    step = (WIDTH - left - 90) / max(1, len(columns))
    body = [
        f'<g transform="translate({left + step * (n + 0.4):.1f} {top - 8}) rotate(-35)">'
        + _text(0, 0, name)
        + "</g>"
        for n, name in enumerate(columns)
    ]
    for m, row in enumerate(rows):
        y = top + LINE * m
        body.append(_text(left - 8, y + 15, row, "end"))
        for n, column in enumerate(columns):
            cell = cells.get((row, column))
            if cell is not None:
                body.append(_cell(cell, left + step * n, y, step))
    return Picture(top + LINE * len(rows) + 6, body, f"{len(rows)} rows, {len(columns)} columns")


def _cell(cell: Cell, x: float, y: float, width: float) -> str:
    hint = f"<title>{_escaped(cell.hint)}</title>" if cell.hint else ""
    box = _box(x + 1, y, width - 2, LINE - 3, cell.kind)
    return f"<g>{hint}{box}{_text(x + width / 2, y + 15, cell.word, 'middle')}</g>"


def timeline(spans: Sequence[Span], unit: str) -> Picture:
    """What happened when, a lane for each who acts.

    Args:
        spans: stretches and points, in any order.
        unit: of their times.
    """
    lanes = list(dict.fromkeys(span.lane for span in spans))
    first = min((span.start for span in spans), default=0.0)
    last = max((span.end for span in spans), default=1.0)
    scale = (WIDTH - 260) / ((last - first) or 1.0)
    bottom = 8 + 2 * LINE * len(lanes)
    body = [_text(112, 36 + 2 * LINE * n, lane, "end") for n, lane in enumerate(lanes)]
    for span in spans:
        x, y = 124 + (span.start - first) * scale, 20 + 2 * LINE * lanes.index(span.lane)
        body.append(_box(x, y + 4, max(4.0, (span.end - span.start) * scale), LINE - 4, span.kind))
        body.append(_text(x, y, span.label))
    body.append(_line(124, bottom + 4, WIDTH - 136, bottom + 4))
    body.append(_text(124, bottom + 20, f"{first:.3g} {unit}"))
    body.append(_text(WIDTH - 136, bottom + 20, f"{last:.3g} {unit}", "end"))
    return Picture(bottom + 28, body, f"{len(spans)} events in {last - first:.3g} {unit}")


def _text(
    x: float, y: float, said: str, anchor: str = "start", *, font: str = SANS, bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} {font}{weight} xml:space="preserve">{_escaped(said)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, *, kind: str = PLAIN, more: str = "") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{kind}"{more}/>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"'
    return f'<rect {place} fill="{kind}" fill-opacity="0.25" stroke="{kind}"/>'


def _escaped(text: str) -> str:
    return html.escape(shortened(text, 200))
