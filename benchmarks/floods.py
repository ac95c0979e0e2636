#!/usr/bin/env python3
"""A stranger floods a kernel: how long does a working client wait, before, during and after?

    floods.py                                        the table, both schemes, all floods
    floods.py send PORT FLOOD COUNT SECONDS [HELLO]  one flood, as fast as it goes; HELLO in hex

The floods come from another process, over CONNECTIONS connections.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import zmq

import minikernel
from minikernel.transport import connection
from minikernel.transport.sockets import send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMES = ("hmac-sha256", "channel-hmac-sha256")
CONNECTIONS = 4
SECONDS, CALM, COUNT = 3.0, 1.5, 200_000
DELIMITER, JSON = b"<IDS|MSG>", [b"{}"] * 4
CODES = {"shell": 1, "control": 2, "stdin": 3, "iopub": 4, "hb": 5}


def head(kind: int, channel: str, session: bytes = bytes(8), counter: int = 0) -> bytes:
    """The first 24 bytes of AUTH (channel-hmac, section 1)."""
    return b"MKC1" + bytes([kind, CODES[channel], 0, 0]) + session + counter.to_bytes(8, "big")


def bad_signature(_channel: str, i: int, _hello: bytes) -> list[bytes]:
    return [DELIMITER, b"%064x" % i, *JSON]


def no_session(channel: str, i: int, _hello: bytes) -> list[bytes]:
    return [DELIMITER, head(16, channel, i.to_bytes(8, "big"), i) + bytes(32), *JSON]


def two_frames(_channel: str, _i: int, _hello: bytes) -> list[bytes]:
    return [DELIMITER, b"x"]


def wrong_hello(channel: str, i: int, _hello: bytes) -> list[bytes]:
    nonce = i.to_bytes(32, "big")
    return [DELIMITER, head(1, channel) + nonce + b"\xff" * 4 + bytes(2) + bytes(32)]


def replayed_hello(_channel: str, _i: int, hello: bytes) -> list[bytes]:
    return [DELIMITER, hello]


def wrong_ping(channel: str, i: int, _hello: bytes) -> list[bytes]:
    return [b"", head(18, channel, i.to_bytes(8, "big"), i) + bytes(32)]


def subscription(_channel: str, i: int, _hello: bytes) -> list[bytes]:
    return [b"\1" + b"%01000d" % (i % 5000)]


FLOODS: dict[str, tuple[str, Callable[[str, int, bytes], list[bytes]]]] = {
    "bad signatures on shell": ("shell", bad_signature),
    "bad signatures on control": ("control", bad_signature),
    "bad signatures on stdin": ("stdin", bad_signature),
    "unknown sessions on shell": ("shell", no_session),
    "unknown sessions on control": ("control", no_session),
    "unknown sessions on stdin": ("stdin", no_session),
    "wrong HELLOs": ("control", wrong_hello),
    "replayed HELLOs": ("control", replayed_hello),
    "two frames on shell": ("shell", two_frames),
    "two frames on control": ("control", two_frames),
    "wrong PINGs": ("hb", wrong_ping),
    "subscriptions of 1 kB": ("iopub", subscription),
}
OF_CHANNEL_HMAC = (no_session, wrong_hello, replayed_hello, wrong_ping)


def flood(port: str, name: str, count: str, seconds: str, hello: str = "") -> None:
    """Send; says when it is connected, and how many messages it got rid of."""
    channel, make = FLOODS[name]
    with contextlib.ExitStack() as stack:
        context = zmq.Context()
        stack.callback(context.destroy, 0)
        kind = zmq.XSUB if channel == "iopub" else zmq.DEALER
        sockets = [stack.enter_context(context.socket(kind)) for _ in range(CONNECTIONS)]
        for socket in sockets:
            socket.linger = 0
            socket.connect(f"tcp://127.0.0.1:{port}")
            socket.poll(5000, zmq.POLLOUT)
        print("connected", flush=True)
        sent, turn, end = 0, 0, time.monotonic() + float(seconds)
        while sent < int(count) and time.monotonic() < end:
            turn += 1
            done = send(sockets[turn % CONNECTIONS], make(channel, turn, bytes.fromhex(hello)))
            sent += done
            if not done and turn % CONNECTIONS == 0:
                time.sleep(0.0002)  # all queues are full; the kernel sets the pace
        print(sent, flush=True)


@contextlib.contextmanager
def flooded(info: dict[str, Any], name: str, hello: str) -> Iterator[subprocess.Popen[str]]:
    """A flood that goes on meanwhile."""
    port = str(info[f"{FLOODS[name][0]}_port"])
    command = [sys.executable, __file__, "send", port, name]
    with subprocess.Popen(
        [*command, str(COUNT), str(SECONDS), hello], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        try:
            yield process
        finally:
            process.kill()


def measure(client: minikernel.MiniKernelClient, goes_on: Callable[[], bool]) -> str:
    """Median and 99th percentile of a round trip, in ms."""
    times = []
    while goes_on():
        began = time.perf_counter()
        assert client.run("6 * 7", timeout=30).value == "42"
        times.append(time.perf_counter() - began)
    times.sort()
    p99 = times[int(0.99 * (len(times) - 1))]
    return f"{statistics.median(times) * 1e3:7.1f} {p99 * 1e3:7.1f}"


def for_seconds(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def row(client: minikernel.MiniKernelClient, name: str, hello: str) -> str:
    assert client.manager is not None
    _, info = connection.read(client.connection_file)
    kernel = psutil.Process(client.manager.provisioner.pid)  # type: ignore[union-attr]
    before = measure(client, for_seconds(CALM))
    memory = kernel.memory_info().rss
    with flooded(info, name, hello) as process:
        began = time.monotonic()
        during = measure(client, lambda: process.poll() is None)
        rate = int(process.stdout.read() or 0) / (time.monotonic() - began)  # type: ignore[union-attr]
    after = measure(client, for_seconds(CALM))
    grown = (kernel.memory_info().rss - memory) / 2**20
    return f"{name:28} {rate:8.0f} {before}  {during}  {after} {grown:7.1f}"


def main() -> None:
    print(f"{'flood':28} {'a second':>8} {'before':>15}  {'during':>15}  {'after':>15}   rss")
    print(" " * 38 + "  ".join(["    p50 p99, ms"] * 3) + "    MB")
    for scheme in SCHEMES:
        print(scheme)
        hellos: list[str] = []

        def note(event: minikernel.TraceEvent, hellos: list[str] = hellos) -> None:
            if event.msg_type == "handshake":
                hellos.append(bytes(event.frames[-1]).hex())

        client = minikernel.launch(
            scheme=scheme,
            extra_arguments=["--history", "off"],
            stderr=subprocess.DEVNULL,
            trace=note,
        )
        with client:
            client.trace = None
            for name, (_, make) in FLOODS.items():
                if hellos or make not in OF_CHANNEL_HMAC:
                    print(row(client, name, hellos[0] if hellos else ""), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        flood(*sys.argv[2:])
    else:
        main()
