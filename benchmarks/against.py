#!/usr/bin/env python3
"""This checkout against another one, in turn: has a change cost something?

    python benchmarks/against.py ../before/.venv/bin/python

Each turn measures the one, then the other, on kernels started for that turn; a ratio is of one
turn, so a drift of the machine touches both.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

from harness import OURS, Kernel, Report, absolute, ratios, run, spread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

TURNS, CELLS, PIPELINED = 12, 300, 2000
LINES = "for i in range(100_000): print(i)"
FLUSHES = "for i in range(2000): print(i, flush=True)"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "other", type=absolute, metavar="PYTHON", help="that has the other minikernel installed"
    )
    parser.add_argument("--turns", type=int, default=TURNS, help=f"default: {TURNS}")


def measure(options: argparse.Namespace) -> Report:
    scale = 100 if options.quick else 1
    turns = 1 if options.quick else options.turns
    figures: dict[str, tuple[list[float], list[float]]] = {}
    for turn in range(turns + 1):
        both = [one_turn([python, *OURS[1:]], scale) for python in (sys.executable, options.other)]
        for name in both[0] if turn else ():  # the first one fills the disk's caches
            for column, found in zip(figures.setdefault(name, ([], [])), both, strict=True):
                column.append(found[name])
    report = Report("This checkout against another one")
    report.say(f"{turns} turns; median (least-greatest).")
    report.table(
        ["", "this one", "the other", "ratio", "ratio of medians"],
        [
            [
                name,
                spread(ours, ",.1f"),
                spread(others, ",.1f"),
                spread(ratios(ours, others), ".3f"),
                f"{statistics.median(ours) / statistics.median(others):.3f}",
            ]
            for name, (ours, others) in figures.items()
        ],
    )
    return report


def one_turn(argv: Sequence[str], scale: int) -> dict[str, float]:
    kernel = Kernel("minikernel", argv)
    try:
        found = {"start, ms": 1e3 * kernel.ready(), "rss after start, MB": kernel.rss()}
        for _ in range(50):
            kernel.round_trip("pass")
        found["round trip of `pass`, us"] = 1e6 * middle(
            lambda: kernel.round_trip("pass"), CELLS // scale
        )
        kernel.drain()
        rate = kernel.pipelined(PIPELINED // scale)
        found["pipelined, us a cell"] = 1e6 / rate if rate else float("nan")
        kernel.drain()
        for name, code in {"100,000 lines, ms": LINES, "2,000 flushed prints, ms": FLUSHES}.items():
            found[name] = 1e3 * middle(lambda code=code: kernel.round_trip(code), 3)  # type: ignore[misc]
            kernel.drain()
        found["rss at the end, MB"] = kernel.rss()
    finally:
        kernel.stop()
    return found


def middle(call: Callable[[], float], count: int) -> float:
    return statistics.median(call() for _ in range(count))


if __name__ == "__main__":
    run(measure, __doc__, configure)
