#!/usr/bin/env python3
"""The project's `client.run` against jupyter_client's `execute_interactive`, on one kernel."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from jupyter_client import BlockingKernelClient

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, BATCH = 15, 40


def batch(call: Callable[[str], object]) -> float:
    """Median seconds of a round trip."""
    times = []
    for _ in range(BATCH):
        began = time.perf_counter()
        call("pass")
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    with minikernel.launch() as ours:
        stock = BlockingKernelClient(connection_file=ours.connection_file)
        stock.load_connection_file()
        stock.start_channels()
        stock.wait_for_ready()
        rows = []
        for turn in range(ROUNDS + 1):
            both = batch(ours.run), batch(stock.execute_interactive)
            if turn:
                rows.append(both)
        stock.stop_channels()
    ratios = sorted(a / b for a, b in rows)
    print(f"client.run            p50 {statistics.median(a for a, _ in rows) * 1e6:7.0f} us")
    print(f"execute_interactive   p50 {statistics.median(b for _, b in rows) * 1e6:7.0f} us")
    print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
