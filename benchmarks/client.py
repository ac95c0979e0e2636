#!/usr/bin/env python3
"""The project's `client.run` against jupyter_client's `execute_interactive`, both on minikernel."""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING

from harness import Report, ratios, repeat, run, spread
from jupyter_client import BlockingKernelClient

import minikernel

if TYPE_CHECKING:
    import argparse

FLUSHES = "for i in range(100): print(i, flush=True)"
CELLS = {"`pass`": ("pass", 40), "`1+1`": ("1+1", 40), "100 flushed prints": (FLUSHES, 4)}


def measure(options: argparse.Namespace) -> Report:
    turns = 1 if options.quick else 20
    report = Report("What the client costs")
    rows = []
    with minikernel.launch() as ours, minikernel.launch() as owner:
        owner.stop_channels()  # each kernel has one client, and so one subscriber
        stock = BlockingKernelClient(connection_file=owner.connection_file)
        stock.load_connection_file()
        stock.start_channels()
        stock.wait_for_ready()
        quiet = partial(stock.execute_interactive, output_hook=lambda _: None)
        for title, (code, batch) in CELLS.items():
            both: list[tuple[float, float]] = []
            for turn in range(turns + 1):
                times = [
                    statistics.median(repeat(partial(call, code), 2 if options.quick else batch))
                    for call in (ours.run, quiet)
                ]
                if turn:  # the first one warms up
                    both.append((times[0], times[1]))
            a, b = ([1e6 * t for t in column] for column in zip(*both, strict=True))
            rows.append([title, spread(a, ",.0f"), spread(b, ",.0f"), spread(ratios(a, b))])
            report.facts[code] = ratios(a, b)
        stock.stop_channels()
    report.say(
        f"{turns} turns of 40 cells each (4, if they print), each client on a minikernel of"
        " its own; medians (least-greatest) of the turns. `run` verifies all it receives, collects"
        " the outputs, and watches the process."
    )
    report.table(
        ["cell", "`client.run`, us", "jupyter_client's `execute_interactive`, us", "ratio"], rows
    )
    return report


if __name__ == "__main__":
    run(measure, __doc__)
