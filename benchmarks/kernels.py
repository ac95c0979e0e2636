#!/usr/bin/env python3
"""Kernels side by side: start, memory, round trip, pipelined requests, output.

Batches go to the kernels in turn, so that a drift of the machine hits all alike; the ratio to the
floor (floor.py) of the same turn says more than a time.
"""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, NamedTuple

import plots
from harness import (
    FLOOR,
    OURS,
    Kernel,
    Report,
    configure_peers,
    peers,
    percentile,
    ratios,
    run,
    spread,
    started,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


class Scale(NamedTuple):
    """How much is measured."""

    starts: int = 6
    turns: int = 12
    batch: int = 50
    pipelined: int = 1000
    pipelines: int = 3
    outputs: int = 3
    lines: int = 100_000
    flushes: int = 2000
    big: int = 50_000_000  # characters


QUICK = Scale(1, 1, 3, 20, 1, 1, 100, 10, 10_000)


def measure(options: argparse.Namespace) -> Report:
    scale = QUICK if options.quick else Scale()
    others, missing = ({}, {}) if options.quick else peers(options.peers)
    commands = {"floor": FLOOR, "minikernel": OURS, **others}
    report = Report("Kernels side by side")
    starts, fresh = start_all(commands, scale)
    with started(commands) as kernels:
        trips = {code: round_trips(kernels, code, scale) for code in ("pass", "1+1")}
        piped = pipelines(kernels, scale)
        printed = outputs(kernels, scale)
        grown = {name: kernel.rss() for name, kernel in kernels.items()}
    rows: dict[str, dict[str, str]] = {
        "start to first kernel_info_reply, ms": {
            n: spread([1e3 * t for t in v], ".0f") for n, v in starts.items()
        },
        "rss after start, MB": {n: f"{v:.1f}" for n, v in fresh.items()},
    }
    for code, times in trips.items():
        rows |= trip_rows(code, times, report)
    rows["pipelined, cells a second"] = {
        n: spread(v, ",.0f") if v else "some lost" for n, v in piped.items()
    }
    rows |= printed
    rows["rss at the end, MB"] = {n: f"{v:.1f}" for n, v in grown.items()}
    report.say(
        f"Medians (least-greatest). {scale.starts} starts in turn; round trips: {scale.turns} turns"
        f" of {scale.batch} cells for each kernel, from sending to having reply and idle, ratios"
        f" turn by turn; pipelined: {scale.pipelined} cells sent at once, {scale.pipelines} times."
        " `late`: idle came before all of the output had."
    )
    report.table(
        ["", *commands],
        [[row, *(v.get(name, "") for name in commands)] for row, v in rows.items()],
    )
    for name, reason in missing.items():
        report.say(f"Left out: {name} ({reason}).")
    draw(report, starts, trips["pass"])
    report.facts |= {
        "start": starts,
        "rss": fresh,
        "pass": {n: [statistics.median(b) for b in v] for n, v in trips["pass"].items()},
        "pipelined": piped,
        "outputs": printed,
    }
    return report


def start_all(
    commands: Mapping[str, list[str]], scale: Scale
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each start, and MB after the last."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    memory = {}
    for turn in range(scale.starts + 1):
        for name, argv in commands.items():
            kernel = Kernel(name, argv)
            try:
                took = kernel.ready()
                memory[name] = kernel.rss()
            finally:
                kernel.stop()
            if turn:  # the first one fills the disk's caches
                times[name].append(took)
    return times, memory


def round_trips(
    kernels: Mapping[str, Kernel], code: str, scale: Scale
) -> dict[str, list[list[float]]]:
    """Seconds, turn by turn."""
    times: dict[str, list[list[float]]] = {name: [] for name in kernels}
    for turn in range(scale.turns + 1):
        for name, kernel in kernels.items():
            batch = [kernel.round_trip(code) for _ in range(scale.batch)]
            if turn:  # the first one warms up
                times[name].append(batch)
    return times


def trip_rows(
    code: str, times: Mapping[str, list[list[float]]], report: Report
) -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    turns = {name: [statistics.median(b) for b in batches] for name, batches in times.items()}
    for name, batches in times.items():
        flat = [1e6 * t for batch in batches for t in batch]
        report.facts[f"{code}: p50, us: {name}"] = statistics.median(flat)
        figures = {
            "p50, us": f"{statistics.median(flat):,.0f}",
            "p99, us": f"{percentile(flat, 99):,.0f}",
            "ratio to the floor": spread(ratios(turns[name], turns["floor"])),
        }
        if "xeus-python raw" in turns:
            figures["ratio to xeus-python raw"] = spread(
                ratios(turns[name], turns["xeus-python raw"])
            )
        for title, figure in figures.items():
            rows.setdefault(f"`{code}`: {title}", {})[name] = figure
    return rows


def pipelines(kernels: Mapping[str, Kernel], scale: Scale) -> dict[str, list[float]]:
    """Cells a second; none if some were lost."""
    rates: dict[str, list[float]] = {name: [] for name in kernels}
    for _ in range(scale.pipelines):
        for name, kernel in kernels.items():
            kernel.drain()
            rate = kernel.pipelined(scale.pipelined)
            rates[name] += [] if rate is None else [rate]
    return rates


def outputs(kernels: Mapping[str, Kernel], scale: Scale) -> dict[str, dict[str, str]]:
    lines = "".join(f"{i}\n" for i in range(scale.lines))
    flushes = "".join(f"{i}\n" for i in range(scale.flushes))
    cells = {
        f"print of {scale.lines:,} lines, s": (
            f"for i in range({scale.lines}): print(i)",
            len(lines),
        ),
        f"{scale.flushes:,} flushed prints, s": (
            f"for i in range({scale.flushes}): print(i, flush=True)",
            len(flushes),
        ),
        f"print of {scale.big / 1e6:g} MB, s": (f"print('x' * {scale.big})", scale.big + 1),
    }
    rows: dict[str, dict[str, str]] = {title: {} for title in cells}
    for title, (code, size) in cells.items():
        times: dict[str, list[float]] = {n: [] for n in kernels if n != "floor"}
        late = dict.fromkeys(times, False)
        for _ in range(scale.outputs):
            for name, all_of_it in times.items():
                took, complete = output(kernels[name], code, size)
                all_of_it.append(took)
                late[name] |= not complete
        for name, took_all in times.items():
            rows[title][name] = spread(took_all, ".3f") + (" late" if late[name] else "")
    return rows


def output(kernel: Kernel, code: str, size: int) -> tuple[float, bool]:
    """Seconds, and whether all characters came before idle."""
    seen: list[bytes] = []
    took = kernel.round_trip(code, seen)
    came = sum(len(json.loads(content).get("text", "")) for content in seen)
    kernel.drain()
    return took, came == size


def draw(
    report: Report, starts: Mapping[str, list[float]], trips: Mapping[str, list[list[float]]]
) -> None:
    middle = {
        name: [1e6 * statistics.median(batch) for batch in batches]
        for name, batches in trips.items()
    }
    report.draw("round-trip", plots.bars("Round trip of `pass`", "us", whiskers(middle)), "round")
    started_in = {name: [1e3 * t for t in times] for name, times in starts.items()}
    picture = plots.bars("Start to the first kernel_info_reply", "ms", whiskers(started_in))
    report.draw("start", picture, "start of each kernel")


def whiskers(values: Mapping[str, list[float]]) -> dict[str, tuple[float, float, float]]:
    return {name: (statistics.median(v), min(v), max(v)) for name, v in values.items()}


if __name__ == "__main__":
    run(measure, __doc__, configure_peers)
