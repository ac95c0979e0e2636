#!/usr/bin/env python3
"""The round trip of a cell under each scheme, with this project's client, in one run.

Blocks of the schemes take turns, so that what else the machine does touches all alike. The client
verifies everything, as it always does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import ExitStack

import minikernel

SCHEMES = {
    "jupyter-hmac": {},
    "channel-hmac": {"scheme": "channel-hmac-sha256"},
    "jupyter-hmac CURVE": {"encryption": "required"},
    "channel-hmac CURVE": {"scheme": "channel-hmac-sha256", "encryption": "required"},
    "clear-key": {"scheme": "clear-key"},
    "challenge-once": {"scheme": "challenge-once"},
    "null": {"scheme": "null"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=20, help="blocks of each scheme")
    parser.add_argument("--cells", type=int, default=200, help="cells in a block")
    parser.add_argument("--transport", choices=("tcp", "ipc"), default="tcp")
    options = parser.parse_args()
    with ExitStack() as stack:
        clients = {}
        for name, how in SCHEMES.items():
            client = minikernel.launch(transport=options.transport, **how)
            clients[name] = stack.enter_context(client)
            client.run("pass")
        times: dict[str, list[float]] = {name: [] for name in clients}
        for turn in range(options.blocks):
            progress(f"block {turn + 1} of {options.blocks}")
            for name, client in clients.items():
                times[name].append(block(client, options.cells))
        progress("")
    base = times["jupyter-hmac"]
    print("| scheme | round trip, us | ratio to jupyter-hmac: median (min-max of blocks) |")
    print("|---|---|---|")
    for name, measured in times.items():
        ratios = sorted(one / other for one, other in zip(measured, base, strict=True))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        print(f"| {name} | {statistics.median(measured):.0f} | {spread} |")


def block(client: minikernel.MiniKernelClient, cells: int) -> float:
    """The median round trip in microseconds."""
    times = []
    for _ in range(cells):
        began = time.perf_counter()
        client.run("pass")
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:40}", end="\r", file=sys.stderr)


if __name__ == "__main__":
    main()
