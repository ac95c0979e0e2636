#!/usr/bin/env python3
"""Where does each microsecond of a round trip go, in the kernel and in the client?

The real functions are timed in place (stopwatch.py), each without those that it calls. What a bare
round trip takes longer is libzmq's own threads, wake-ups, and the other end.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING

import plots
import zmq
from harness import FLOOR, HERE, OURS, Report, run, started
from jupyter_client.client import KernelClient
from jupyter_client.session import Session
from stopwatch import Stopwatch, watch_protocol

import minikernel
from minikernel.client import channels, verifier
from minikernel.client.exchange import Exchange
from minikernel.client.interrupts import Forwarding
from minikernel.client.listening import Listening
from minikernel.client.result import Collector
from minikernel.protocol.client import ClientConnection
from minikernel.transport.sockets import Inbox

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from stopwatch import Times

CELLS = 3000
WATCHED = HERE / "watched.py"
ELSEWHERE = "libzmq, wake-ups, the other end"


def kernel_stages(cells: int) -> tuple[Times, float, float]:
    """Stages; the whole round trip, and the floor's, in us."""
    with started({"floor": FLOOR, "minikernel": OURS}) as kernels:
        out = kernels["minikernel"].file.with_name("stages.json")
        command = [sys.executable, str(WATCHED), "{connection_file}", str(out), str(cells)]
        times: dict[str, list[float]] = {name: [] for name in kernels}
        with started({"timed": command}) as timed:
            for _ in range(cells // 50):
                for name, kernel in kernels.items():
                    times[name] += [1e6 * kernel.round_trip("pass") for _ in range(50)]
                for _ in range(50):
                    timed["timed"].round_trip("pass")
            while not out.exists():
                timed["timed"].round_trip("pass")
        stages = json.loads(out.read_text())
    return stages, *(statistics.median(times[name]) for name in ("minikernel", "floor"))  # type: ignore[return-value]


def client_stages(cells: int) -> tuple[Times, float]:
    """Stages of `client.run`; how long it takes untimed, in us."""
    with minikernel.launch(extra_arguments=["--history", "off"]) as client:
        plain = []
        for _ in range(cells):
            began = time.perf_counter()
            client.run("pass")
            plain.append(time.perf_counter() - began)
        watch = Stopwatch()
        watch_protocol(watch)
        watch.watch("compose", KernelClient, "execute")
        watch.watch("compose", Session, "msg")
        watch.watch("encode", verifier.Verifier, "seal")
        watch.watch("encode", ClientConnection, "seal")
        watch.watch("send", channels.Receiver, "put")
        watch.watch("poll", zmq.Poller, "poll")
        watch.watch("receive", Inbox, "whole")
        watch.watch("decode to dicts and dates", verifier, "as_dict")
        watch.watch("was it asked for?", ClientConnection, "take")
        watch.watch("was it asked for?", verifier.Verifier, "open")
        watch.watch("is it over?", Exchange, "take", "lapse")
        watch.watch("collect", Collector, "add", "result")
        watch.watch("Ctrl-C: set and reset", Forwarding, "__enter__", "__exit__")
        watch.watch("drop what is old", channels.Receiver, "discard")
        watch.watch("is the kernel alive?", Listening, "lives")
        watch.watch("poll and take, the rest", Listening, "until_over", "_hear")
        for _ in range(cells):
            watch.begin("run, the rest")
            client.run("pass")
            watch.end()
    return watch.medians(), 1e6 * statistics.median(plain)


def measure(options: argparse.Namespace) -> Report:
    cells = 50 if options.quick else CELLS
    report = Report("Where each microsecond goes")
    kernel, whole, floor = kernel_stages(cells)
    client, ran = client_stages(cells)
    report.say(
        f"`pass`, {cells} times: the median of each stage, in the order in which they are first"
        " entered; time on the processor of the main thread. A raw client's round trip takes"
        f" {whole:.0f} us, the floor's {floor:.0f} us; `client.run` takes {ran:.0f} us. What the"
        " stages leave of that is libzmq's own threads, two wake-ups, and the other end."
    )
    for name, title, stages, total in (
        ("kernel", "A round trip, and what the kernel does in it", kernel, whole),
        ("client", "`client.run`, and what the client does in it", client, ran),
    ):
        parts = {**stages, ELSEWHERE: max(0.0, total - sum(stages.values()))}
        report.draw(f"stages-{name}", plots.stack(title, "us", parts), f"stages of the {name}")
        report.table([f"{name}: stage", "us"], table_rows(parts))
    report.facts |= {"kernel": kernel, "client": client, "round trip": whole, "run": ran}
    return report


def table_rows(stages: Mapping[str, float]) -> list[list[str]]:
    return [[name, f"{us:.1f}"] for name, us in sorted(stages.items(), key=lambda s: -s[1])]


if __name__ == "__main__":
    run(measure, __doc__)
