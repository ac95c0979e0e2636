"""Small SVG pictures, legible on a light and on a dark page."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Points = Sequence[tuple[float, float]]

WIDTH, LEFT, RIGHT, TOP, LINE = 760, 150, 90, 44, 22
STYLE = """<style>
text { font: 12px sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: bold }
.axis { stroke: #8c959f; stroke-width: 1; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #d1d7e0 } }
</style>"""
# Okabe and Ito's colours, which colour-blind readers can tell apart; mid-tones on both pages.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"),
    *("#8a7f00", "#7f7f7f", "#9467bd", "#2ca0a0", "#b5651d", "#6b8e23"),
    *("#c0504d", "#4f81bd", "#f2b5d4", "#66c2a5", "#a6761d", "#e7298a", "#7570b3", "#b3b300"),
)


def bars(title: str, unit: str, values: Mapping[str, tuple[float, float, float]]) -> str:
    """One bar a name: (median, least, greatest), the latter two as a line across its end."""
    top = max(v[0] for v in values.values())
    scale = (WIDTH - LEFT - RIGHT) / min(max(v[2] for v in values.values()), 1.6 * top)
    parts = []
    for i, (name, (middle, least, greatest)) in enumerate(values.items()):
        y = TOP + i * LINE
        end, low = LEFT + middle * scale, LEFT + least * scale
        high = min(LEFT + greatest * scale, WIDTH - RIGHT)
        parts += [
            _text(LEFT - 8, y + 13, name, "end"),
            _bar(LEFT, y + 2, middle * scale, COLOURS[1 if name == "minikernel" else 0]),
            f'<path class="axis" d="M{low:.1f} {y + 10}H{high:.1f}"/>',
            _text(max(end, high) + 6, y + 13, f"{middle:,.4g} {unit}"),
        ]
    return _picture(title, TOP + len(values) * LINE + 10, parts)


def stack(title: str, unit: str, values: Mapping[str, float]) -> str:
    """One bar made of named parts, with a list of them below, the longest first."""
    scale = (WIDTH - 40 - RIGHT) / sum(values.values())
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(values)}
    parts, x = [], 20.0
    for name, value in values.items():
        tip = f"<title>{escape(name)}: {value:.1f} {unit}</title>"
        at = f'x="{x:.1f}" y="{TOP}" width="{value * scale:.1f}" height="34"'
        parts.append(f'<rect {at} fill="{colour[name]}">{tip}</rect>')
        x += value * scale
    parts.append(_text(x + 6, TOP + 22, f"{sum(values.values()):,.0f} {unit}"))
    half = (len(values) + 1) // 2
    for i, name in enumerate(sorted(values, key=lambda name: -values[name])):
        x, y = 20 + i // half * 370, TOP + 62 + i % half * 20
        at = f'x="{x}" y="{y - 10}" width="11" height="11"'
        parts.append(f'<rect {at} fill="{colour[name]}"/>')
        parts.append(_text(x + 17, y, f"{values[name]:.1f} {unit}  {name}"))
    return _picture(title, TOP + 62 + half * 20, parts)


def lines(title: str, across: str, up: str, series: Mapping[str, Points], *, log: bool) -> str:
    """Curves; both axes logarithmic if asked for, else both begin at zero."""
    height, left, bottom = 330, 70, 280
    points = [point for curve in series.values() for point in curve]
    to_x = _scale([p[0] for p in points], left, WIDTH - 220, log=log)
    to_y = _scale([p[1] for p in points], bottom, TOP, log=log)
    parts = [f'<path class="axis" d="M{left} {TOP}V{bottom}H{WIDTH - 220}"/>']
    for value in _ticks([p[0] for p in points], log=log):
        parts.append(_text(to_x(value), bottom + 16, _short(value), "middle"))
        parts.append(f'<path class="axis" d="M{to_x(value):.1f} {bottom}v4"/>')
    for value in _ticks([p[1] for p in points], log=log):
        parts.append(_text(left - 8, to_y(value) + 4, _short(value), "end"))
        parts.append(f'<path class="axis" d="M{left} {to_y(value):.1f}h-4"/>')
    for i, (name, curve) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        way = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in curve)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="2.5" fill="{colour}"/>'
            for x, y in curve
        ]
        at = TOP + 12 + i * 20
        parts.append(f'<path d="M{WIDTH - 205} {at - 4}h18" stroke="{colour}" stroke-width="3"/>')
        parts.append(_text(WIDTH - 180, at, name))
    parts += [
        _text((left + WIDTH - 220) / 2, bottom + 36, across, "middle"),
        _text(left - 50, TOP - 8, up),
    ]
    return _picture(title, height, parts)


def _scale(values: Sequence[float], start: float, end: float, *, log: bool) -> _Scale:
    low, high = (min(values), max(values)) if log else (0.0, max(values) * 1.05)
    return _Scale(low, high if high > low else low + 1, start, end, log=log)


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool) -> None:
        self._of = math.log10 if log else float
        self._low, self._high = self._of(low), self._of(high)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        part = (self._of(value) - self._low) / (self._high - self._low)
        return self._start + part * (self._end - self._start)


def _ticks(values: Sequence[float], *, log: bool) -> list[float]:
    if log:
        powers = range(math.ceil(math.log10(min(values))), math.floor(math.log10(max(values))) + 1)
        return [10.0**power for power in powers]
    step = 10 ** math.floor(math.log10(max(values)))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if max(values) / s <= 6)
    return [i * step for i in range(int(max(values) * 1.05 / step) + 1)]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _bar(x: float, y: float, width: float, colour: str) -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{LINE - 6}"'
    return f'<rect {at} fill="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(title: str, height: float, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}"'
    top = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    name = f'<text class="title" x="20" y="22">{escape(title)}</text>'
    return "\n".join((top, STYLE, name, *parts, "</svg>\n"))
