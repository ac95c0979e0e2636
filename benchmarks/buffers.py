#!/usr/bin/env python3
"""Large buffers to a kernel and from it, beside ipykernel: a stock client's time to idle.

    python benchmarks/buffers.py --before ../before/.venv/bin/python

The client is jupyter_client's own: it signs no buffers. What a kernel of ours sends has a digest
of its buffers in the metadata, so it has hashed them; ipykernel has not.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from harness import (
    OURS,
    START_TIMEOUT,
    Kernel,
    Report,
    absolute,
    configure_peers,
    peers,
    ratios,
    run,
    spread,
    started,
)
from jupyter_client import BlockingKernelClient

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

US, BEFORE, PEER = "minikernel", "before", "ipykernel"
SIZES, TURNS = (10_000_000, 100_000_000), 12
TARGET = """\
import os
import comm
last = None
def opened(channel, _):
    def take(message):
        global last
        last = message["buffers"][0].nbytes
    channel.on_msg(take)
comm.get_comm_manager().register_target("bench", opened)
channel = comm.create_comm(target_name="nobody")
made = {}
"""


def configure(parser: argparse.ArgumentParser) -> None:
    configure_peers(parser)
    parser.add_argument("--turns", type=int, default=TURNS, help=f"default: {TURNS}")
    parser.add_argument(
        "--before",
        type=absolute,
        metavar="PYTHON",
        help="that has another checkout installed, measured as well",
    )


class Stock:
    """A client of jupyter_client's, on a kernel with a comm."""

    def __init__(self, kernel: Kernel) -> None:
        self.client = BlockingKernelClient(connection_file=str(kernel.file))
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.wait_for_ready(START_TIMEOUT)
        self.cell(TARGET)
        self.tell("comm_open", {"comm_id": "bench", "target_name": "bench", "data": {}})

    def idle(self, msg_id: str, began: float) -> float:
        while True:
            message = self.client.get_iopub_msg(START_TIMEOUT)
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            if message["msg_type"] == "error":
                raise SystemExit(message["content"]["evalue"])
            if message["content"].get("execution_state") == "idle":
                return time.perf_counter() - began

    def tell(self, msg_type: str, content: dict[str, object], *buffers: bytes) -> float:
        channel, began = self.client.shell_channel, time.perf_counter()
        sent = self.client.session.send(channel.socket, msg_type, content, buffers=list(buffers))
        return self.idle(sent["header"]["msg_id"], began)

    def cell(self, code: str) -> float:
        began = time.perf_counter()
        taken = self.idle(self.client.execute(code), began)
        self.client.get_shell_msg(START_TIMEOUT)
        return taken

    def take(self, buffer: bytes) -> float:
        taken = self.tell("comm_msg", {"comm_id": "bench", "data": {}}, buffer)
        self.cell(f"assert last == {len(buffer)}, last; last = None")
        return taken

    def give(self, kind: str, size: int) -> float:
        key = f"{kind}({size})"
        self.cell(f"if {key!r} not in made: made[{key!r}] = {kind}(os.urandom({size}))")
        return self.cell(f"channel.send({{}}, buffers=[made[{key!r}]])")


def measure(options: argparse.Namespace) -> Report:
    sizes, turns = ((10_000,), 1) if options.quick else (SIZES, options.turns)
    found, missing = ({}, {}) if options.quick else peers(options.peers)
    commands = {US: OURS}
    if options.before:
        commands[BEFORE] = [options.before, *OURS[1:]]
    if PEER in found:
        commands[PEER] = found[PEER]
    report = Report("Large buffers")
    rows = []
    with started(commands) as kernels:
        clients = {name: Stock(kernel) for name, kernel in kernels.items()}
        for size in sizes:
            buffer = os.urandom(size)
            ways: dict[str, Callable[[Stock], float]] = {
                "to the kernel": partial(Stock.take, buffer=buffer),
                "from the kernel, `bytes`": partial(Stock.give, kind="bytes", size=size),
                "from the kernel, `bytearray`": partial(Stock.give, kind="bytearray", size=size),
            }
            for title, way in ways.items():
                times = in_turn(clients, way, turns)
                rows.append([f"{size:,}, {title}", *cells(commands, times)])
                report.facts[f"{size}: {title}"] = times
        for client in clients.values():
            client.client.stop_channels()
    report.say(
        f"A message with one buffer, {turns} turns; ms from sending to idle, and ratios turn by"
        " turn; medians (least-greatest). The client is jupyter_client's. From the kernel, ours"
        " hash the buffer: its digest is in the signed metadata."
    )
    if PEER in missing:
        report.say(f"{PEER}: {missing[PEER]}.")
    others = list(commands)[1:]
    report.table(["bytes", *commands, *(f"ratio to {other}" for other in others)], rows)
    return report


def in_turn(
    clients: dict[str, Stock], way: Callable[[Stock], float], turns: int
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in clients}
    for turn in range(turns + 1):
        for name, client in clients.items():
            taken = way(client)
            if turn:  # the first one warms up
                times[name].append(1e3 * taken)
    return times


def cells(commands: dict[str, list[str]], times: dict[str, list[float]]) -> list[str]:
    ours, *others = (times[name] for name in commands)
    return [
        *(spread(values, ".1f") for values in (ours, *others)),
        *(spread(ratios(ours, values)) for values in others),
    ]


if __name__ == "__main__":
    run(measure, __doc__, configure)
