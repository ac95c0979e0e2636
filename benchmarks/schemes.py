#!/usr/bin/env python3
"""The round trip of a cell under each scheme, over tcp and ipc, with this project's client.

Blocks of the schemes take turns, so that what else the machine does touches all alike. The client
verifies everything, as it always does.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import zmq
from harness import Report, ratios, repeat, run, spread

import minikernel

if TYPE_CHECKING:
    import argparse

SCHEMES: dict[str, dict[str, Any]] = {
    "jupyter-hmac": {},
    "channel-hmac": {"scheme": "channel-hmac-sha256"},
    "jupyter-hmac, CURVE": {"encryption": "required"},
    "channel-hmac, CURVE": {"scheme": "channel-hmac-sha256", "encryption": "required"},
    "clear-key": {"scheme": "clear-key"},
    "challenge-once": {"scheme": "challenge-once"},
    "null": {"scheme": "null"},
}
BASE, CURVE = "jupyter-hmac", "channel-hmac, CURVE"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blocks", type=int, default=20, help="blocks of each scheme")
    parser.add_argument("--cells", type=int, default=100, help="cells in a block")
    parser.add_argument("--transport", choices=("tcp", "ipc"), action="append", help="only this")


def measure(options: argparse.Namespace) -> Report:
    blocks, cells = (2, 3) if options.quick else (options.blocks, options.cells)
    report = Report("What a scheme costs")
    report.say(
        f"Round trips of `pass` with `client.run`, {blocks} blocks of {cells} cells in turn;"
        " medians (least-greatest) of the blocks, ratios block by block."
    )
    rows: dict[str, list[str]] = {}
    head = ["scheme"]
    both = ("tcp",) if options.quick else ("tcp", "ipc")
    for transport in options.transport or both:
        head += [f"{transport}, us", f"{transport}, ratio to {BASE}"]
        times = of_transport(transport, blocks, cells)
        for name, measured in times.items():
            compared = ratios(measured, times[BASE])
            rows.setdefault(name, []).extend((spread(measured, ",.0f"), spread(compared)))
            report.facts[f"{transport}: {name}"] = compared
        if CURVE in times:
            on_top = ratios(times[CURVE], times["channel-hmac"])
            report.facts[f"{transport}: CURVE on channel-hmac"] = on_top
    report.table(head, [[name, *figures] for name, figures in rows.items()])
    return report


def of_transport(transport: str, blocks: int, cells: int) -> dict[str, list[float]]:
    """Median microseconds of each block."""
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        clients = {}
        for name, how in SCHEMES.items():
            if "encryption" in how and not zmq.has("curve"):
                continue
            client = minikernel.launch(transport=transport, **how)
            clients[name] = stack.enter_context(client)
            client.run("pass")
        for _ in range(blocks):
            for name, client in clients.items():
                block = repeat(lambda client=client: client.run("pass"), cells)
                times.setdefault(name, []).append(1e6 * statistics.median(block))
    return times


if __name__ == "__main__":
    run(measure, __doc__, configure)
