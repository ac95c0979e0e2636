#!/usr/bin/env python3
"""Under fire: how long does a working client wait before, during and after a stranger's flood?

    fire.py send PORT FLOOD SECONDS    (used by itself) one flood, as fast as it goes

The floods come from another process; the client is raw and does not verify. Also measured: until
when the p50 of 20 round trips is normal again (twice that before), what the kernel wrote to its
terminal, and what it grew by.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import zmq
from harness import OURS, Kernel, Report, configure_peers, peers, percentile, run, started

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

DELIMITER, JSON = b"<IDS|MSG>", [b"{}"] * 4
US, COMPARED = "minikernel", "ipykernel"
FEW = 20  # round trips of one look whether all is normal again


class Flood(NamedTuple):
    """The same message again and again.

    Args:
        channel: which.
        connections: how many.
        message: its frames.
        compared: whether another kernel is flooded too.
    """

    channel: str
    connections: int
    message: list[bytes]
    compared: bool = True


TOPICS = "topics of 20 MB on iopub"
FLOODS = {
    "bad signatures, 1 connection": Flood("shell", 1, [DELIMITER, b"0" * 64, *JSON]),
    "bad signatures, 20 connections": Flood("shell", 20, [DELIMITER, b"0" * 64, *JSON]),
    "two-frame messages": Flood("shell", 4, [DELIMITER, b"x"]),
    "100 kB signatures on control": Flood("control", 1, [DELIMITER, b"x" * 100_000, *JSON]),
    "bad signatures on stdin": Flood("stdin", 4, [DELIMITER, b"0" * 64, *JSON]),
    "heartbeats": Flood("hb", 4, [b"x" * 100]),
    "subscriptions on iopub": Flood("iopub", 4, [b"\1topic"]),
    # Elsewhere libzmq would remember it, in some 50 times its length.
    TOPICS: Flood("iopub", 1, [b"\1" + b"t" * 20_000_000], compared=False),
}
STUCK = "a stuck subscriber"


class Scale(NamedTuple):
    """How much is measured."""

    calm: int = 300  # round trips before
    seconds: float = 4.0
    lines: int = 300_000  # of 500 characters, printed for a subscriber that does not read
    patience: float = 10.0  # seconds until we wait no longer for what was normal


QUICK = Scale(FEW, 0.3, 1000, 0.5)


def flood(port: str, name: str, seconds: str) -> None:
    """Send; says how many messages it got rid of."""
    channel, connections, message, _ = FLOODS[name]
    if name == TOPICS:
        print("connected", flush=True)
        print(long_frames(int(port), message[0], float(seconds)), flush=True)
        return
    context = zmq.Context()
    kind = zmq.XSUB if channel == "iopub" else zmq.DEALER
    senders = [context.socket(kind) for _ in range(connections)]
    for sender in senders:
        sender.linger = 0
        sender.connect(f"tcp://127.0.0.1:{port}")
        sender.poll(5000, zmq.POLLOUT)
    print("connected", flush=True)
    sent, end = 0, time.monotonic() + float(seconds)
    while time.monotonic() < end:
        full = 0
        for sender in senders:
            try:
                sender.send_multipart(message, zmq.NOBLOCK)
                sent += 1
            except zmq.Again:
                full += 1
        if full == connections:
            time.sleep(0.0002)  # the kernel sets the pace
    print(sent, flush=True)
    context.destroy(0)


def long_frames(port: int, body: bytes, seconds: float) -> int:
    """Send one on a connection each, as a subscriber without libzmq, which would keep it itself."""
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\x05READY\x0bSocket-Type\0\0\0\x03SUB"  # ZMTP 3.0 (RFC 23)
    head = greeting + b"\x04" + bytes([len(ready)]) + ready
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port)) as stream, suppress(ConnectionError):
            stream.sendall(head + b"\x02" + len(body).to_bytes(8, "big") + body)
        sent += 1
    return sent


def measure(options: argparse.Namespace) -> Report:
    scale = QUICK if options.quick else Scale()
    others, missing = ({}, {}) if options.quick else peers(options.peers)
    commands = {US: OURS}
    if COMPARED in others:
        commands[COMPARED] = others[COMPARED]
    report = Report("Under fire")
    rows = []
    for name, attack in FLOODS.items():
        for who, argv in commands.items():
            if who != US and not attack.compared:
                continue
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
    stuck(report, commands, scale)
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


def stuck(report: Report, commands: Mapping[str, Sequence[str]], scale: Scale) -> None:
    """A table of what a subscriber that does not read costs, and whom."""
    rows = []
    for who, argv in commands.items():
        with started({who: argv}) as kernels:
            facts = beside_a_stuck_subscriber(kernels[who], scale)
        report.facts[f"{STUCK}: {who}"] = facts
        rows.append([who, *(f"{facts[k]:.1f}" for k in ("before", "during", "print"))])
        rows[-1].append(f"{facts['rss']:+.0f}")
    report.say(
        f"A subscriber that does not read, while the working client prints {scale.lines:,} lines of"
        " 500 characters and gets them all, and `pass` afterwards. What is kept for that subscriber"
        " is bounded by the number of messages, not by their size."
    )
    report.table(["kernel", "p50 before, ms", "p50 with it", "print, s", "rss, MB"], rows)


def beside_a_stuck_subscriber(kernel: Kernel, scale: Scale) -> dict[str, float]:
    for _ in range(FEW):
        kernel.round_trip("pass")
    before = statistics.median(round_trips(kernel, lambda times: len(times) < scale.calm))
    rss = kernel.rss()
    subscriber = kernel.context.socket(zmq.SUB)
    subscriber.rcvhwm = 1
    subscriber.subscribe(b"")
    subscriber.connect(f"tcp://127.0.0.1:{kernel.info['iopub_port']}")
    while not subscriber.poll(100):
        kernel.round_trip("pass")
    seen: list[bytes] = []
    took = kernel.round_trip(f"for _ in range({scale.lines}): print('x' * 499)", seen)
    printed = sum(content.count(b"\\n") for content in seen)
    if printed < scale.lines:
        raise SystemExit(f"{kernel.name}: {printed} lines of {scale.lines}")
    during = statistics.median(round_trips(kernel, lambda times: len(times) < scale.calm))
    return {
        "before": 1e3 * before,
        "during": 1e3 * during,
        "ratio": during / before,
        "print": took,
        "rss": kernel.rss() - rss,
    }


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
