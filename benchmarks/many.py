#!/usr/bin/env python3
"""A million requests of eight clients on all channels: is one lost, doubled or out of order?

Each client keeps some requests under way on shell and on control. One shell request in a hundred
is a cell that asks for input, and with each a heartbeat goes. One subscriber sees busy and idle of
all. Ids of messages are numbers, so each receiver knows which one is next.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import zmq
from harness import OURS, Kernel, Report, run, started

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

CLIENTS, WINDOW, EVERY = 8, 40, 100  # WINDOW: requests under way, by client and channel
PATIENCE = 60_000  # ms
ID = re.compile(rb'"msg_id": ?"(\d+)-(shell|control)-(\d+)"')
STATE = re.compile(rb'"execution_state": ?"(busy|idle)"')
CELL = {"code": "input()", "silent": False, "store_history": False, "allow_stdin": True}


class Line:
    """The requests of one client on one channel."""

    def __init__(self, kernel: Kernel, client: int, channel: str) -> None:
        self.kernel, self.client, self.channel = kernel, client, channel
        self.sent = self.replies = 0
        self.socket = kernel.context.socket(zmq.DEALER)
        self.socket.identity = b"client %d" % client
        self.socket.set_hwm(0)
        self.socket.connect(f"tcp://127.0.0.1:{kernel.info[f'{channel}_port']}")

    def fill(self, most: int) -> None:
        """Send as many as may be under way."""
        while self.sent < most and self.sent - self.replies < WINDOW:
            asks = self.channel == "shell" and self.sent % EVERY == 0
            name, content = ("execute", CELL) if asks else ("kernel_info", {})
            self.send(f"{name}_request", content, f"{self.client}-{self.channel}-{self.sent}")
            self.sent += 1

    def send(self, msg_type: str, content: dict[str, Any], msg_id: str) -> None:
        header = {"msg_id": msg_id, "msg_type": msg_type, "session": f"client {self.client}"}
        header |= {"username": "", "date": "2026-01-01T00:00:00Z", "version": "5.4"}
        frames = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = hmac.digest(self.kernel.key, b"".join(frames), "sha256").hex().encode()
        self.socket.send_multipart([b"<IDS|MSG>", signature, *frames])


class Watch:
    """All lines of all clients, and what came on them that should not have."""

    def __init__(self, kernel: Kernel, most: int) -> None:
        self.kernel, self.most, self.goal = kernel, most, 2 * CLIENTS * most
        self.requests = [
            Line(kernel, n, channel) for n in range(CLIENTS) for channel in ("shell", "control")
        ]
        self.questions = [Line(kernel, n, "stdin") for n in range(CLIENTS)]
        self.heart = kernel.connect(zmq.DEALER, "hb")
        self.seen: Counter[tuple[int, str, str]] = Counter()  # client, channel, busy or idle
        self.wrong: Counter[str] = Counter()
        self.replies = self.idle = self.asked = self.beats = 0
        self.rows: list[tuple[str, str, str]] = []
        self.last = time.monotonic()

    def run(self) -> None:
        """Until all is answered, or nothing comes any more."""
        takes: dict[Any, Callable[[list[bytes]], None]] = {
            self.heart: self.beat,
            self.kernel.iopub: self.state,
            **{line.socket: partial(self.question, line) for line in self.questions},
            **{line.socket: partial(self.reply, line) for line in self.requests},
        }
        poller = zmq.Poller()
        for socket in takes:
            poller.register(socket, zmq.POLLIN)
        while self.replies < self.goal or self.idle < self.goal or self.beats < self.asked:
            for line in self.requests:
                line.fill(self.most)
            ready = poller.poll(PATIENCE)
            if not ready:
                self.wrong["lost"] = self.goal - min(self.replies, self.idle)
                return
            for socket, _ in ready:
                while socket.get(zmq.EVENTS) & zmq.POLLIN:
                    takes[socket](socket.recv_multipart())

    def beat(self, frames: list[bytes]) -> None:
        self.wrong["heartbeats"] += frames[-1] != b"%d" % self.beats
        self.beats += 1

    def question(self, line: Line, _: list[bytes]) -> None:
        self.heart.send_multipart([b"", b"%d" % self.asked])
        line.send("input_reply", {"value": ""}, f"answer {self.asked}")
        self.asked += 1

    def state(self, frames: list[bytes]) -> None:
        found, state = ID.search(frames[-3]), STATE.search(frames[-1])
        if found is not None and state is not None:
            key = (int(found[1]), found[2].decode(), state[1].decode())
            self.wrong[key[2]] += int(found[3]) != self.seen[key]
            self.seen[key] += 1
            self.idle += key[2] == "idle"

    def reply(self, line: Line, frames: list[bytes]) -> None:
        expected = b"%d-%b-%d" % (line.client, line.channel.encode(), line.replies)
        found = ID.search(frames[-3])
        self.wrong["replies"] += found is None or b"-".join(found.groups()) != expected
        line.replies += 1
        self.replies += 1
        part = max(1, self.goal // 10)
        if self.replies % part == 0:
            now = time.monotonic()
            rate = f"{part / (now - self.last):,.0f}"
            self.rows.append((f"{self.replies:,}", f"{self.kernel.rss():.1f}", rate))
            self.last = now


def measure(options: argparse.Namespace) -> Report:
    total = 1600 if options.quick else options.requests
    report = Report("Many requests of many clients")
    began = time.monotonic()
    with started({"minikernel": OURS}) as kernels:
        watch = Watch(kernels["minikernel"], total // CLIENTS // 2)
        watch.run()
    wrong = ", ".join(f"{n} {name}" for name, n in watch.wrong.items() if n)
    report.say(
        f"{watch.goal:,} requests of {CLIENTS} clients in {time.monotonic() - began:,.0f} s;"
        f" {watch.asked:,} of them asked on stdin, and as many heartbeats; lost, doubled or out of"
        f" order: {wrong or 'none'}."
    )
    report.table(["replies", "rss, MB", "a second"], watch.rows)
    return report


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=1_000_000, help="of all clients")


if __name__ == "__main__":
    run(measure, __doc__, configure)
