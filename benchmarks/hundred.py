#!/usr/bin/env python3
"""A hundred kernels launched at once: does one fail, what do they cost, and to close them?"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
from harness import Report, run, spread

import minikernel

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

KERNELS, AT_ONCE = 100, 16


def measure(options: argparse.Namespace) -> Report:
    kernels = 4 if options.quick else KERNELS
    with tempfile.TemporaryFile() as file, terminal(file.fileno()):
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            clients = list(pool.map(lambda _: minikernel.launch(timeout=60), range(kernels)))
        up = time.perf_counter() - began
        answers = {client.run("6 * 7", timeout=60).value for client in clients}
        memory = [pss(client) for client in clients]
        times = []
        for client in clients:
            began = time.perf_counter()
            client.close()
            times.append(time.perf_counter() - began)
        said = os.fstat(file.fileno()).st_size
    report = Report("Many kernels at once")
    report.say(
        f"{kernels} kernels by `minikernel.launch()`, {AT_ONCE} at a time: all up after"
        f" {up:.1f} s, answers {sorted(map(str, answers))}, {statistics.median(memory):.1f} MB each"
        f" (pss); {said} bytes on the terminal. Closed one after the other:"
        f" {spread(times, '.3f')} s each."
    )
    report.facts |= {"up": up, "close": times, "said": said}
    return report


@contextlib.contextmanager
def terminal(descriptor: int) -> Iterator[None]:
    """What kernels say meanwhile goes into a file."""
    kept = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def pss(client: minikernel.MiniKernelClient) -> float:
    """MB of a kernel, what it shares with others counted in parts."""
    return float(psutil.Process(client.manager.provisioner.pid).memory_full_info().pss / 1e6)


if __name__ == "__main__":
    run(measure, __doc__)
