#!/usr/bin/env python3
"""How a round trip grows with the number of connected clients.

One client runs cells, the others are connected and get what is published: under channel-hmac each
message on iopub carries a tag for every client, under jupyter-hmac the same signature for all.
"""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING

import plots
from harness import Report, repeat, run, spread

import minikernel
from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.kernel import KernelEnd
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.auth.keys import SecretKey
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    import argparse

COUNTS = (1, 2, 4, 8, 16, 32)
SCHEMES = ("hmac-sha256", "channel-hmac-sha256")
FRAMES = [b"x" * 200] * 4


def measure(options: argparse.Namespace) -> Report:
    counts, turns, cells = ((1, 2), 1, 3) if options.quick else (COUNTS, 6, 40)
    report = Report("Number of clients")
    trips = round_trips(counts, turns, cells)
    tags = {n: tag_vector(n, 20 if options.quick else 3000) for n in counts}
    report.say(
        f"A client runs `pass` while all others are connected and subscribed; {turns} turns of"
        f" {cells} cells, medians (least-greatest). The tag vector alone: one message of 800 bytes"
        " signed for so many clients, in-process."
    )
    report.table(
        ["clients", "jupyter-hmac, us", "channel-hmac, us", "tag vector alone, us", "bytes of it"],
        [
            [n, *(spread(trips[s][n], ",.0f") for s in SCHEMES), f"{tags[n][0]:.1f}", tags[n][1]]
            for n in counts
        ],
    )
    first, last = counts[0], counts[-1]
    slope = (tags[last][0] - tags[first][0]) / (last - first)
    report.say(f"Each further client adds {slope:.2f} us to the signing of a message on iopub.")
    curves = {
        name: [(float(n), statistics.median(trips[scheme][n])) for n in counts]
        for name, scheme in zip(("jupyter-hmac", "channel-hmac"), SCHEMES, strict=True)
    }
    curves["tag vector x 3"] = [(float(n), 3 * tags[n][0]) for n in counts]
    svg = plots.lines("Round trip of `pass`", "clients", "us", curves, log=False)
    report.draw("clients", svg, "round trip by number of clients")
    report.facts["us a client"] = slope
    return report


def round_trips(
    counts: tuple[int, ...], turns: int, cells: int
) -> dict[str, dict[int, list[float]]]:
    """Median microseconds of each turn, by scheme and number of clients."""
    times: dict[str, dict[int, list[float]]] = {scheme: {} for scheme in SCHEMES}
    with ExitStack() as stack:
        clients: dict[str, list[minikernel.MiniKernelClient]] = {}
        for scheme in SCHEMES:
            more = ["--sessions", str(counts[-1] + 2)] if scheme.startswith("channel") else []
            first = minikernel.launch(scheme=scheme, extra_arguments=["--history", "off", *more])
            clients[scheme] = [stack.enter_context(first)]
        for count in counts:
            for connected in clients.values():
                while len(connected) < count:
                    file = connected[0].connection_file
                    connected.append(stack.enter_context(minikernel.connect(file)))
            for turn in range(turns + 1):
                for scheme, (active, *others) in clients.items():
                    batch = repeat(lambda active=active: active.run("pass"), cells)
                    for other in others:
                        other.iopub_channel.receiver.discard()
                    if turn:  # the first one warms up
                        times[scheme].setdefault(count, []).append(1e6 * statistics.median(batch))
    return times


def tag_vector(clients: int, messages: int) -> tuple[float, int]:
    """Microseconds, and bytes, of signing one message for so many clients."""
    secret = SecretKey(b"k" * 64)
    limits = SessionLimits(sessions=clients)
    kernel = KernelEnd(secret, entropy=os.urandom, limits=limits)
    for number in range(clients):
        client = ClientEnd(Master(secret).owner(), entropy=os.urandom)
        session = client.challenge(kernel.hello(client.hello(), 0.0))
        signature = session.seal(Channel.CONTROL, FRAMES)
        route = (str(number).encode(),)
        kernel.bind(kernel.open(Channel.CONTROL, signature, FRAMES, route, 0.0), None, 0.0)
    size = len(kernel.publish(b"stream", FRAMES))
    times = repeat(lambda: kernel.publish(b"stream", FRAMES), messages)
    return 1e6 * statistics.median(times), size


if __name__ == "__main__":
    run(measure, __doc__)
