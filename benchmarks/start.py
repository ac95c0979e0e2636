#!/usr/bin/env python3
"""What a kernel does until its first answer: which step takes how long, and which import."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from harness import OURS, Kernel, Report, run, spread

import minikernel

if TYPE_CHECKING:
    import argparse

STEPS = {
    "Python alone": "pass",
    "and zmq": "import zmq",
    "and msgspec": "import zmq, msgspec",
    "and the kernel's modules": "import minikernel.cli.app, minikernel.cli.run",
}
ANSWER, LAUNCH = "and the first answer", "`minikernel.launch()`, to the client's being ready"
IMPORT = re.compile(r"import time: +(\d+) \| +\d+ \| +([\w.]+)$")
SHOWN = 15


def measure(options: argparse.Namespace) -> Report:
    turns = 1 if options.quick else 15
    times: dict[str, list[float]] = {}
    for turn in range(turns + 1):
        for step, code in STEPS.items():
            keep(times, turn, step, python(code))
        keep(times, turn, ANSWER, answer())
        keep(times, turn, LAUNCH, launch())
    report = Report("Start, step by step")
    report.say(f"{turns} turns; a process from its launch to its end, or to what is named.")
    report.table(["a process", "ms"], [[step, spread(t, ".0f")] for step, t in times.items()])
    report.say("What imports take by `-X importtime`, by package, the longest ones:")
    report.table(["package", "ms", "modules"], imports())
    report.facts |= {"steps": times}
    return report


def keep(times: dict[str, list[float]], turn: int, step: str, seconds: float) -> None:
    if turn:  # the first one fills the disk's caches
        times.setdefault(step, []).append(1e3 * seconds)


def python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def answer() -> float:
    kernel = Kernel("minikernel", OURS)
    try:
        return kernel.ready()
    finally:
        kernel.stop()


def launch() -> float:
    began = time.perf_counter()
    with minikernel.launch(extra_arguments=["--history", "off"]):
        return time.perf_counter() - began


def imports() -> list[list[object]]:
    """Package, ms, and how many modules, of the median of three runs."""
    runs = [imported() for _ in range(3)]
    packages = dict.fromkeys(package for taken, _ in runs for package in taken)
    middle = {p: statistics.median(taken[p] for taken, _ in runs) / 1e3 for p in packages}
    modules = runs[0][1]
    longest = sorted(middle, key=lambda package: -middle[package])[:SHOWN]
    return [[f"`{p}`", f"{middle[p]:.1f}", modules[p]] for p in longest]


def imported() -> tuple[Counter[str], Counter[str]]:
    """Microseconds, and modules, by package."""
    command = [sys.executable, "-X", "importtime", "-c", STEPS["and the kernel's modules"]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        if match := IMPORT.match(line):
            package = match[2].partition(".")[0]
            taken[package] += int(match[1])
            modules[package] += 1
    return taken, modules


if __name__ == "__main__":
    run(measure, __doc__)
