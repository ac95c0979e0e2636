#!/usr/bin/env python3
"""How cost grows with the size of a message: code, output, and buffers of 1 kB to 100 MB.

Buffers go through `seal` and `receive` of both ends in-process, and through a real kernel as a
comm_msg of a client and as a display of a cell. What is linear shows as a line of slope 1.
"""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING

import plots
from harness import OURS, Kernel, Report, repeat, run, started

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.kernel import KernelEnd
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.jupyter_hmac import JupyterHmac
from minikernel.auth.keys import SecretKey
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.protocol.end import BARE, ChannelEnd, Guards
from minikernel.wire.channels import Channel, Role
from minikernel.wire.message import HeaderFactory
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

SECRET = SecretKey(b"k" * 64)
SIZES = tuple(10**power for power in range(3, 9))  # bytes
TEXTS = tuple(10**power for power in range(2, 8))  # characters
COMM = {"comm_id": "none", "data": {}}


def measure(options: argparse.Namespace) -> Report:
    sizes, texts = ((1000, 10_000), (100, 1000)) if options.quick else (SIZES, TEXTS)
    report = Report("Size of messages and buffers")
    buffers(report, sizes)
    with started({"minikernel": OURS}) as kernels:
        kernel = kernels["minikernel"]
        whole = through_a_kernel(kernel, report, sizes)
        cells(kernel, report, texts)
    report.facts["us a MB"] = whole
    return report


def turns(size: int) -> int:
    return max(3, min(200, 20_000_000 // size))


def buffers(report: Report, sizes: tuple[int, ...]) -> None:
    ways = {
        "jupyter-hmac, bare": bare,
        "with buffers signed": guarded,
        "channel-hmac": ours,
    }
    curves: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for size in sizes:
        buffer = os.urandom(size)
        for name, way in ways.items():
            times = repeat(way([buffer]), turns(size))
            curves[name].append((float(size), 1e6 * statistics.median(times)))
    report.say(
        "A comm_msg with one buffer, signed by one end and verified by the other, in-process, us."
        " Jupyter's own scheme leaves buffers unsigned; minikernel signs their SHA-256 in the"
        " metadata, and channel-hmac covers them."
    )
    report.table(
        ["bytes", *curves],
        [[f"{s:,}", *(f"{c[i][1]:,.0f}" for c in curves.values())] for i, s in enumerate(sizes)],
    )
    svg = plots.lines("Sign and verify a buffer", "bytes", "us", curves, log=True)
    report.draw("buffers", svg, "sign and verify, by size of the buffer")


def end(role: Role, guards: Guards) -> ChannelEnd:
    memory = None if guards is BARE else ReplayMemory()
    headers = HeaderFactory(role.value, "1", "user", lambda: b'"2026-01-01T00:00:00Z"')
    scheme = JupyterHmac(SECRET, memory=memory)
    return ChannelEnd(Channel.SHELL, role, scheme, headers, guards=guards)


def bare(buffers: list[bytes]) -> Callable[[], object]:
    return both_ways(BARE, buffers)


def guarded(buffers: list[bytes]) -> Callable[[], object]:
    return both_ways(Guards(), buffers)


def both_ways(guards: Guards, buffers: list[bytes]) -> Callable[[], object]:
    client, kernel = end(Role.CLIENT, guards), end(Role.KERNEL, guards)

    def turn() -> None:
        frames = client.compose(b"comm_msg", COMM, buffers=buffers)
        kernel.receive(client.seal(frames, Address(())) or [])

    return turn


def ours(buffers: list[bytes]) -> Callable[[], object]:
    kernel = KernelEnd(SECRET, entropy=os.urandom)
    client = ClientEnd(Master(SECRET).owner(), entropy=os.urandom)
    session = client.challenge(kernel.hello(client.hello(), 0.0))
    frames = [b"{}"] * 4
    route = (b"client",)
    kernel.open(Channel.CONTROL, session.seal(Channel.CONTROL, frames), frames, route, 0.0)
    whole = [*frames, *buffers]

    def turn() -> None:
        kernel.open(Channel.SHELL, session.seal(Channel.SHELL, whole), whole, route, 0.0)

    return turn


def through_a_kernel(kernel: Kernel, report: Report, sizes: tuple[int, ...]) -> float:
    """Microseconds a MB of the largest; the client neither signs buffers nor verifies them."""
    rows, curves = [], {"to the kernel": [], "from the kernel": []}  # type: ignore[var-annotated]
    kernel.round_trip(
        "import os\n"
        "import comm\n"
        "channel = comm.create_comm(target_name='bench')\n"
        "made = {}\n"
        "def send(n): channel.send({}, buffers=[made.setdefault(n, os.urandom(n))])"
    )
    for size in sizes:
        buffer, inward, outward = os.urandom(size), [], []
        kernel.round_trip(f"send({size})")
        for _ in range(max(3, min(30, 3_000_000 // size))):
            msg_id, frames = kernel.message("comm_msg", COMM, [buffer])
            inward.append(kernel.exchange(msg_id, frames, {kernel.iopub}))
            outward.append(kernel.round_trip(f"send({size})"))
        middle = [1e6 * statistics.median(times) for times in (inward, outward)]
        for curve, value in zip(curves.values(), middle, strict=True):
            curve.append((float(size), value))
        rows.append([f"{size:,}", *(f"{value:,.0f}" for value in middle)])
    report.say(
        "The same through sockets, to idle: a comm_msg of a client that does not sign buffers, and"
        " one that a cell sends. us."
    )
    report.table(["bytes", *curves], rows)
    svg = plots.lines("A buffer through a kernel", "bytes", "us", curves, log=True)
    report.draw("buffers-kernel", svg, "round trip, by size of the buffer")
    return float(curves["from the kernel"][-1][1] / (sizes[-1] / 1e6))


def cells(kernel: Kernel, report: Report, texts: tuple[int, ...]) -> None:
    rows = []
    curves: dict[str, list[tuple[float, float]]] = {"code": [], "output": []}
    for size in texts:
        code = f"pass  # {'x' * size}"
        ways = {"code": code, "output": f"print('x' * {size})"}
        for name, cell in ways.items():
            times = [kernel.round_trip(cell) for _ in range(max(3, min(100, 10_000_000 // size)))]
            curves[name].append((float(size), 1e6 * statistics.median(times)))
        rows.append([f"{size:,}", *(f"{curve[-1][1]:,.0f}" for curve in curves.values())])
    report.say("A cell of so many characters, and a cell that prints so many; round trip, us.")
    report.table(["characters", *curves], rows)
    svg = plots.lines("Round trip by size", "characters", "us", curves, log=True)
    report.draw("sizes", svg, "round trip, by size of code and output")


if __name__ == "__main__":
    run(measure, __doc__)
