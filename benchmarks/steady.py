#!/usr/bin/env python3
"""Is a message's cost constant over very many? Memory and latency, interval by interval."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import plots
from harness import OURS, Report, percentile, run, started

if TYPE_CHECKING:
    import argparse

INTERVALS = 20


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--messages", type=int, default=100_000, help="cells; 1000000, say")
    parser.add_argument("--history", help='a file, or "off"; default: a file for the while')


def measure(options: argparse.Namespace) -> Report:
    messages = 200 if options.quick else options.messages
    with tempfile.TemporaryDirectory() as directory:
        history = options.history or str(Path(directory) / "history.sqlite")
        return cells(messages, [history if word == "off" else word for word in OURS])


def cells(messages: int, command: list[str]) -> Report:
    report = Report("Constancy over many messages")
    rows, latency, memory = [], [], []
    with started({"minikernel": command}) as kernels:
        kernel = kernels["minikernel"]
        for _ in range(min(1000, messages)):
            kernel.round_trip("pass")
        unsaved = kernel.rss()
        tail = {"output": False, "raw": True, "hist_access_type": "tail", "n": 1}
        kernel.exchange(*kernel.message("history_request", tail), {kernel.shell})
        before = kernel.rss()
        for interval in range(1, INTERVALS + 1):
            times = [1e6 * kernel.round_trip("pass") for _ in range(messages // INTERVALS)]
            done, rss = interval * messages // INTERVALS, kernel.rss()
            p50, p99 = statistics.median(times), percentile(times, 99)
            rows.append([f"{done:,}", f"{rss:.2f}", f"{p50:.0f}", f"{p99:.0f}"])
            latency.append((float(done), p50))
            memory.append((float(done), 100 * rss))
    grown = rss - before
    report.say(
        f"{messages:,} cells one after the other, after a first thousand and a look into the"
        f" history, which loads sqlite once ({before - unsaved:.2f} MB); one kernel, guards on,"
        f" history in a file. It grew by {grown:.2f} MB, the replay memory of 65,536 digests"
        " included. (`--history off` keeps the history in memory, which grows with it.)"
    )
    report.table(["cells", "rss, MB", "p50, us", "p99, us"], rows)
    curves = {"p50, us": latency, "rss, 10 kB": memory}
    svg = plots.lines("Cost of a cell over time", "cells", "", curves, log=False)
    report.draw("steady", svg, "latency and memory by number of cells")
    report.facts |= {"messages": messages, "grown": grown, "p50": [p[1] for p in latency]}
    return report


if __name__ == "__main__":
    run(measure, __doc__, configure)
