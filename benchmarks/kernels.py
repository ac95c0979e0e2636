#!/usr/bin/env python3
"""Kernels side by side: start, memory, round trip, pipelined requests, output.

    kernels.py [NAME ...]          kernelspecs to compare with; all that are installed by default

Batches go to the kernels in turn, so that a drift of the machine hits all alike; the ratio to the
floor (floor.py) of the same turn says more than a time. Needs pyzmq, psutil and jupyter_client.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.kernelspec import KernelSpecManager

STARTS, ROUNDS, BATCH, PIPELINED = 5, 12, 50, 2000
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
OURS = [sys.executable, "-m", "minikernel", "run", "--history", "off", "-f", "{connection_file}"]
FLOOR = [sys.executable, str(Path(__file__).with_name("floor.py")), "{connection_file}"]
PRINTING = {
    "100,000 lines, s": "for i in range(100_000): print(i)",
    "2,000 flushes, s": "for i in range(2_000): print(i, flush=True)",
    "50 MB, s": "print('x' * 50_000_000)",
}


class Kernel:
    """A kernel process and a raw client of it."""

    def __init__(self, name: str, argv: list[str]) -> None:
        self.name, self.key = name, uuid.uuid4().hex.encode()
        info = {
            **dict(zip(PORTS, free_ports(len(PORTS)), strict=True)),
            "transport": "tcp",
            "ip": "127.0.0.1",
            "key": self.key.decode(),
            "signature_scheme": "hmac-sha256",
        }
        handle, self.file = tempfile.mkstemp(suffix=".json")
        with os.fdopen(handle, "w") as file:
            json.dump(info, file)
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [a.replace("{connection_file}", self.file) for a in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.context = zmq.Context()
        self.shell = self.connect(zmq.DEALER, info["shell_port"])
        self.iopub = self.connect(zmq.SUB, info["iopub_port"])
        self.iopub.subscribe(b"")
        self.poller = zmq.Poller()
        for channel in (self.shell, self.iopub):
            self.poller.register(channel, zmq.POLLIN)

    def connect(self, kind: int, port: Any) -> zmq.Socket[bytes]:
        channel = self.context.socket(kind)
        channel.reconnect_ivl = 2  # ms; the default of 100 would hide the start
        channel.set_hwm(0)
        channel.connect(f"tcp://127.0.0.1:{port}")
        return channel

    def message(self, msg_type: str, content: dict[str, Any]) -> tuple[bytes, list[bytes]]:
        msg_id = uuid.uuid4().hex
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        header = {
            "msg_id": msg_id,
            "msg_type": msg_type,
            "session": "bench",
            "username": "",
            "date": date,
            "version": "5.4",
        }
        frames = [json.dumps(d).encode() for d in (header, {}, {}, content)]
        signature = hmac.digest(self.key, b"".join(frames), "sha256").hex().encode()
        return msg_id.encode(), [b"<IDS|MSG>", signature, *frames]

    def cell(self, code: str) -> tuple[bytes, list[bytes]]:
        options = {"silent": False, "store_history": True, "allow_stdin": False}
        return self.message("execute_request", {"code": code, **options})

    def round_trip(self, code: str) -> float:
        """Seconds from sending a cell to having both its reply and its idle."""
        msg_id, frames = self.cell(code)
        began = time.perf_counter()
        self.shell.send_multipart(frames)
        waiting = {self.shell, self.iopub}
        while waiting:
            for channel, _ in self.poller.poll():
                received = channel.recv_multipart()
                if not any(msg_id in frame for frame in received):
                    continue
                if channel is self.shell or b'"idle"' in received[-1]:
                    waiting.discard(channel)
        return time.perf_counter() - began

    def ready(self) -> float:
        """Seconds from launch to the first kernel_info_reply."""
        self.shell.send_multipart(self.message("kernel_info_request", {})[1])
        if not self.shell.poll(60_000):
            raise SystemExit(f"{self.name} did not start")
        took = time.perf_counter() - self.began
        self.shell.recv_multipart()
        while not self.iopub.poll(50):  # until the subscription has arrived
            self.shell.send_multipart(self.message("kernel_info_request", {})[1])
            self.shell.recv_multipart()
        self.drain()
        return took

    def drain(self) -> None:
        while self.iopub.poll(50):
            self.iopub.recv_multipart()

    def pipelined(self) -> float:
        """Cells a second, sent without waiting for replies."""
        requests = [self.cell("pass")[1] for _ in range(PIPELINED)]
        began = time.perf_counter()
        for frames in requests:
            self.shell.send_multipart(frames)
        missing = {self.shell: PIPELINED, self.iopub: PIPELINED}
        while any(missing.values()):
            ready = self.poller.poll(20_000)
            if not ready:
                return 0.0  # some were lost
            for channel, _ in ready:
                last = channel.recv_multipart()[-1]
                missing[channel] -= channel is self.shell or b'"idle"' in last
        return PIPELINED / (time.perf_counter() - began)

    def rss(self) -> float:
        """MB."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.context.destroy(0)
        for path in (Path(self.file), Path(self.file).with_suffix(".ring")):
            path.unlink(missing_ok=True)


def free_ports(count: int) -> list[int]:
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def measure(commands: dict[str, list[str]]) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {name: {} for name in commands}
    starts: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        kernels = {}
        for name, argv in commands.items():
            kernels[name] = Kernel(name, argv)
            starts[name].append(kernels[name].ready())
            if len(starts[name]) < STARTS:
                kernels[name].stop()
    try:
        for name, kernel in kernels.items():
            table[name]["start, ms"] = f"{statistics.median(starts[name]) * 1e3:.0f}"
            table[name]["rss after start, MB"] = f"{kernel.rss():.1f}"
        for title, code in (("pass", "pass"), ("1+1", "1+1")):
            round_trips(kernels, table, title, code)
        for name, kernel in kernels.items():
            kernel.drain()
            table[name]["pipelined, cells/s"] = f"{kernel.pipelined():.0f}"
            kernel.drain()
            for title, code in PRINTING.items() if name != "floor" else ():
                table[name][title] = f"{kernel.round_trip(code):.3f}"
            table[name]["rss at the end, MB"] = f"{kernel.rss():.1f}"
    finally:
        for kernel in kernels.values():
            kernel.stop()
    return table


def round_trips(
    kernels: dict[str, Kernel], table: dict[str, dict[str, str]], title: str, code: str
) -> None:
    times: dict[str, list[list[float]]] = {name: [] for name in kernels}
    for turn in range(ROUNDS + 1):
        for name, kernel in kernels.items():
            batch = [kernel.round_trip(code) for _ in range(BATCH)]
            if turn:  # the first one warms up
                times[name].append(batch)
    for name, batches in times.items():
        flat = sorted(t for batch in batches for t in batch)
        p50, p99 = statistics.median(flat) * 1e6, flat[len(flat) * 99 // 100] * 1e6
        ratios = sorted(
            statistics.median(a) / statistics.median(b)
            for a, b in zip(batches, times["floor"], strict=True)
        )
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        table[name][f"{title}: p50, us"] = f"{p50:.0f}"
        table[name][f"{title}: p99, us"] = f"{p99:.0f}"
        table[name][f"{title}: ratio to the floor"] = spread


def show(table: dict[str, dict[str, str]]) -> None:
    rows = list(dict.fromkeys(row for column in table.values() for row in column))
    print("| |" + "".join(f" {name} |" for name in table))
    print("|---|" + "---|" * len(table))
    for row in rows:
        print(f"| {row} |" + "".join(f" {column.get(row, '')} |" for column in table.values()))


def main() -> None:
    specs = KernelSpecManager().get_all_specs()
    names = sys.argv[1:] or sorted(set(specs) - {"minikernel"})
    commands = {"floor": FLOOR, "minikernel": OURS}
    for name in names:
        spec = specs[name]["spec"]
        if spec["language"] == "python":
            first = sys.executable if spec["argv"][0] == "python" else spec["argv"][0]
            commands[name] = [first, *spec["argv"][1:]]
    print(f"comparing {', '.join(commands)}: about a minute ...", file=sys.stderr)
    show(measure(commands))
    print(f"\n{ROUNDS} batches of {BATCH}; ratios: median (least to greatest) of the batches")


if __name__ == "__main__":
    main()
