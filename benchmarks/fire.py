#!/usr/bin/env python3
"""Under fire: how long does a working client wait before, during and after a stranger's flood?

    fire.py send PORT FLOOD SECONDS    (used by itself) one flood, as fast as it goes

The floods come from another process; the client is raw and does not verify. Also measured: until
when the p50 of 20 round trips is normal again (twice that before), what the kernel wrote to its
terminal, and what it grew by.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import zmq
from harness import OURS, Kernel, Report, configure_peers, peers, percentile, run, started

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

DELIMITER, JSON = b"<IDS|MSG>", [b"{}"] * 4
COMPARED = "ipykernel"
FEW = 20  # round trips of one look whether all is normal again


class Flood(NamedTuple):
    """The same message again and again."""

    channel: str
    connections: int
    message: list[bytes]


FLOODS = {
    "bad signatures, 1 connection": Flood("shell", 1, [DELIMITER, b"0" * 64, *JSON]),
    "bad signatures, 20 connections": Flood("shell", 20, [DELIMITER, b"0" * 64, *JSON]),
    "two-frame messages": Flood("shell", 4, [DELIMITER, b"x"]),
    "100 kB signatures on control": Flood("control", 1, [DELIMITER, b"x" * 100_000, *JSON]),
}


class Scale(NamedTuple):
    """How much is measured."""

    calm: int = 300  # round trips before
    seconds: float = 4.0
    patience: float = 10.0  # seconds until we wait no longer for what was normal


QUICK = Scale(FEW, 0.3, 0.5)


def flood(port: str, name: str, seconds: str) -> None:
    """Send; says how many messages it got rid of."""
    _, connections, message = FLOODS[name]
    context = zmq.Context()
    sockets = [context.socket(zmq.DEALER) for _ in range(connections)]
    for socket in sockets:
        socket.linger = 0
        socket.connect(f"tcp://127.0.0.1:{port}")
        socket.poll(5000, zmq.POLLOUT)
    print("connected", flush=True)
    sent, end = 0, time.monotonic() + float(seconds)
    while time.monotonic() < end:
        full = 0
        for socket in sockets:
            try:
                socket.send_multipart(message, zmq.NOBLOCK)
                sent += 1
            except zmq.Again:
                full += 1
        if full == connections:
            time.sleep(0.0002)  # the kernel sets the pace
    print(sent, flush=True)
    context.destroy(0)


def measure(options: argparse.Namespace) -> Report:
    scale = QUICK if options.quick else Scale()
    others, missing = ({}, {}) if options.quick else peers(options.peers)
    commands = {"minikernel": OURS}
    if COMPARED in others:
        commands[COMPARED] = others[COMPARED]
    report = Report("Under fire")
    rows = []
    for name in FLOODS:
        for who, argv in commands.items():
            with started({who: argv}) as kernels:
                row, facts = under(kernels[who], name, scale)
            rows.append([name, who, *row])
            report.facts[f"{name}: {who}"] = facts
    report.say(
        f"Each flood takes {scale.seconds:g} s. A round trip is that of `pass` with a raw client;"
        f" normal again: the p50 of {FEW} round trips is at most twice that before, looked for"
        f" during {scale.patience:g} s after the flood. `a second`: messages that the flooder got"
        " rid of. Every cell of the working client got its reply and its idle, or there would be no"
        " table."
    )
    head = ["flood", "kernel", "a second", "p50 before, ms", "p50 during", "p99 during"]
    head += ["normal after, s", "log", "rss, MB"]
    report.table(head, rows)
    if COMPARED in missing:
        report.say(f"Left out: {COMPARED} ({missing[COMPARED]}).")
    return report


def under(kernel: Kernel, name: str, scale: Scale) -> tuple[list[str], dict[str, float | None]]:
    for _ in range(FEW):
        kernel.round_trip("pass")
    before = round_trips(kernel, lambda times: len(times) < scale.calm)
    p50, rss, quiet = statistics.median(before), kernel.rss(), kernel.log.stat().st_size
    port = str(kernel.info[f"{FLOODS[name].channel}_port"])
    command = [sys.executable, __file__, "send", port, name, str(scale.seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()
        began = time.monotonic()
        during = round_trips(kernel, lambda _: sender.poll() is None)
        rate = int(sender.stdout.read() or 0) / (time.monotonic() - began)
    back = normal_again(kernel, 2 * p50, scale.patience)
    grown = kernel.rss() - rss
    log, passed = kernel.log.read_bytes()[quiet:], time.monotonic() - began
    facts = {
        "before": 1e3 * p50,
        "during": 1e3 * statistics.median(during),
        "p99": 1e3 * percentile(during, 99),
        "normal": back,
        "lines": max(0, log.count(b"\n") - 1) / passed,
        "rss": grown,
        "ratio": statistics.median(during) / p50,
    }
    row = [f"{rate:,.0f}", *(f"{facts[k]:.1f}" for k in ("before", "during", "p99"))]
    row.append(f"> {scale.patience:g}" if back is None else f"{back:.1f}")
    lines = log.count(b"\n")
    return [*row, f"{lines:,} lines, {len(log) / 1e6:.2f} MB", f"{grown:+.0f}"], facts


def round_trips(kernel: Kernel, goes_on: Callable[[list[float]], bool]) -> list[float]:
    times = [kernel.round_trip("pass")]
    while goes_on(times):
        times.append(kernel.round_trip("pass"))
    return times


def normal_again(kernel: Kernel, limit: float, patience: float) -> float | None:
    """Seconds until round trips take no longer than that; None: they still do."""
    began = time.monotonic()
    while time.monotonic() < began + patience:
        at = time.monotonic() - began
        if statistics.median(kernel.round_trip("pass") for _ in range(FEW)) <= limit:
            return at
    return None


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        flood(*sys.argv[2:])
    else:
        run(measure, __doc__, configure_peers)
