#!/usr/bin/env python3
"""A kernel at a steady thousand cells a second: memory and latency, interval by interval.

Cells print, fail, show values and store variables in turn; each is answered and checked for all of
its outputs before the next. If the machine is too slow for the rate, it is as fast as it goes.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

from harness import OURS, Kernel, Report, percentile, run, started

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

CELLS: dict[str, Callable[[str], bool]] = {  # code -> whether these outputs are its
    "pass": lambda seen: '"code"' in seen and "stream" not in seen,
    "1+1": lambda seen: '"text/plain":"2"' in seen,
    "print('x' * 100)": lambda seen: "x" * 100 in seen,
    "value = list(range(100))": lambda seen: '"code"' in seen,
    "1/0": lambda seen: "ZeroDivisionError" in seen,
}
INTERVALS = 12


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--hours", type=float, help="instead of minutes; 1 for the nightly form")
    parser.add_argument("--rate", type=int, default=1000, help="cells a second at most")


def measure(options: argparse.Namespace) -> Report:
    seconds = 60 * (60 * options.hours if options.hours else options.minutes)
    seconds = 2.0 if options.quick else seconds
    report = Report("Soak")
    rows, done, wrong = [], 0, 0
    with started({"minikernel": OURS}) as kernels:
        kernel = kernels["minikernel"]
        interval(kernel, 0.5, options.rate)  # what happens once: imports, a first traceback
        first = kernel.rss()
        for _ in range(INTERVALS):
            times, failed = interval(kernel, seconds / INTERVALS, options.rate)
            done, wrong = done + len(times), wrong + failed
            p50, p99 = 1e6 * statistics.median(times), 1e6 * percentile(times, 99)
            rows.append([f"{done:,}", f"{kernel.rss():.1f}", f"{p50:.0f}", f"{p99:.0f}", wrong])
        grown = kernel.rss() - first
    report.say(
        f"{done:,} cells in {seconds:.0f} s ({done / seconds:.0f} a second), the kernel grew by"
        f" {grown:.1f} MB; {wrong} cells without all of their outputs."
    )
    report.table(["cells", "rss, MB", "p50, us", "p99, us", "incomplete"], rows)
    report.facts |= {"cells": done, "grown": grown, "wrong": wrong}
    return report


def interval(kernel: Kernel, seconds: float, rate: int) -> tuple[list[float], int]:
    """Seconds of each round trip, and how many cells lacked an output."""
    times, wrong, codes = [], 0, list(CELLS)
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        early = began + len(times) / rate - now
        if early > 0:
            time.sleep(early)
        code = codes[len(times) % len(codes)]
        seen: list[bytes] = []
        times.append(kernel.round_trip(code, seen))
        said = " ".join(json.dumps(json.loads(c), separators=(",", ":")) for c in seen)
        wrong += not CELLS[code](said)
    return times, wrong


if __name__ == "__main__":
    run(measure, __doc__, configure)
