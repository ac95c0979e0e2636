"""Bytes that libzmq itself would never send, at all five ports: afterwards the kernel answers.

From a seed. The kernel has 1,024 descriptors and little memory to spare. What libzmq keeps, or
fails at, by itself (SECURITY.md) is left out, the names of peers among it.
"""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from tests import zmtp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import KernelProcess, RawClient

    Random = random.Random

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
CHANNELS = ("shell", "control", "stdin", "iopub", "hb")
KINDS = ("DEALER", "REQ", "SUB", "XSUB", "ROUTER", "PAIR", "PUB", "", "NONE" * 20)
DESCRIPTORS, MEMORY = 1024, 1 << 31
PATIENCE = 20
AT_ONCE = 60  # connections


def greeting(rng: Random) -> bytes:
    if rng.random() < 0.7:
        return zmtp.GREETING
    changed = bytearray(zmtp.GREETING)
    for _ in range(rng.randrange(1, 5)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    mechanism = rng.choice((b"NULL", b"PLAIN", b"CURVE", b"GSSAPI", rng.randbytes(20)))
    if rng.random() < 0.3:
        changed[12:32] = mechanism.ljust(20, b"\0")[:20]
    return bytes(changed[: rng.choice((5, 10, 11, 12, 63, 64, 64))])


def ready(rng: Random) -> bytes:
    command = zmtp.ready(rng.choice(KINDS[:3]))  # without a name: see above
    if rng.random() < 0.6:
        return command
    changed = bytearray(command)
    for _ in range(rng.randrange(1, 4)):
        changed[rng.randrange(len(changed))] = rng.choice((0, 1, 255, rng.randrange(256)))
    return bytes(changed[: rng.randrange(2, len(changed) + 1)])


def traffic(rng: Random) -> bytes:
    topic = rng.choice((b"", b"status", rng.randbytes(4), b"t" * 900))
    small = rng.randbytes(rng.randrange(30))
    return rng.choice((
        lambda: zmtp.message([small]),
        lambda: zmtp.message([b"<IDS|MSG>", small, b"{}", b"{}", b"{}", b"{}"]),
        lambda: zmtp.message([b"", b"<IDS|MSG>", small]),
        lambda: zmtp.message([b"\1" + topic]),
        lambda: zmtp.message([b"\0" + topic]),
        lambda: zmtp.message([b"\1" + topic, small, b"\0" + topic]),
        lambda: zmtp.message([small, b"\1" + topic, b"\0", b"\0nobody's"]),
        lambda: zmtp.message([b""] * rng.choice((1, 5, 2000, 20_000))),
        lambda: zmtp.message([b"x" * rng.choice((255, 256, 1025, 5000, 300_000))]),
        lambda: zmtp.frame(small, zmtp.MORE),
        lambda: zmtp.frame(small, rng.randrange(256)),
        lambda: zmtp.frame(b"\x09SUBSCRIBE" + topic, zmtp.COMMAND),
        lambda: zmtp.frame(b"\x06CANCEL" + topic, zmtp.COMMAND),
        lambda: zmtp.frame(b"\x04PING" + rng.randbytes(rng.choice((0, 2, 18, 300))), zmtp.COMMAND),
        lambda: zmtp.frame(b"\x04PONG" + small, zmtp.COMMAND),
        lambda: zmtp.frame(b"\x05ERROR" + small, zmtp.COMMAND),
        lambda: zmtp.frame(rng.randbytes(rng.randrange(1, 20)), zmtp.COMMAND | zmtp.MORE),
        lambda: struct.pack(">BQ", zmtp.LONG, rng.choice((0, 255, 2**31, 2**63, 2**64 - 1))),
        lambda: rng.randbytes(rng.randrange(200)),
    ))()  # fmt: skip


def attack(rng: Random, port: int) -> socket.socket:
    """One connection; it stays open."""
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.settimeout(0.5)
    if rng.random() < 0.5:
        hard = struct.pack("ii", 1, 0)  # it ends by a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
    with contextlib.suppress(OSError):  # libzmq has closed it, or takes no more
        connection.sendall(greeting(rng) + ready(rng))
        for _ in range(rng.randrange(12)):
            connection.sendall(traffic(rng))
        if rng.random() < 0.2:
            connection.shutdown(socket.SHUT_WR)
    return connection


@pytest.fixture
def limited(start_kernel: Callable[..., KernelProcess], scheme: str) -> Iterator[KernelProcess]:
    kernel = start_kernel(signature_scheme=scheme)
    for limit, value in ((resource.RLIMIT_NOFILE, DESCRIPTORS), (resource.RLIMIT_AS, MEMORY)):
        resource.prlimit(kernel.process.pid, limit, (value, value))  # type: ignore[attr-defined]  # Linux
    yield kernel
    assert kernel.process.poll() is None, kernel.terminal
    assert "internal error" not in kernel.terminal


def all_is_well(kernel: KernelProcess, connect: Callable[..., RawClient]) -> None:
    """All five sockets serve a newcomer."""
    assert kernel.process.poll() is None, kernel.terminal
    client = connect(kernel)  # iopub greets it
    assert client.text("print(6 * 7)") == "42\n"
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    msg_id = client.send(client.shell, "execute_request", code="input()")
    client.receive(client.stdin)
    client.send(client.stdin, "input_reply", value="")
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    with client.context.socket(zmq.REQ) as beat:
        beat.connect(f"tcp://127.0.0.1:{kernel.info['hb_port']}")
        beat.send(b"ping")
        assert beat.poll(PATIENCE * 1000)
        assert beat.recv() == b"ping"
    client.close()


@pytest.mark.parametrize("scheme", ["hmac-sha256"])
@pytest.mark.parametrize(
    ("seed", "seconds"),
    [(1, 4), pytest.param(2, 30, marks=pytest.mark.slow)],
)
def test_raw_zmtp(
    limited: KernelProcess, connect: Callable[..., RawClient], *, seed: int, seconds: float
) -> None:
    rng, connections = random.Random(seed), list[socket.socket]()
    deadline = time.monotonic() + seconds
    count = 0
    try:
        while time.monotonic() < deadline or count < AT_ONCE:
            connections.append(attack(rng, limited.info[f"{rng.choice(CHANNELS)}_port"]))
            count += 1
            if len(connections) > AT_ONCE:
                connections.pop(rng.randrange(AT_ONCE)).close()
            if count % 500 == 0:
                all_is_well(limited, connect)
        all_is_well(limited, connect)
    finally:
        for connection in connections:
            connection.close()
    all_is_well(limited, connect)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["channel-hmac-sha256"])
def test_raw_zmtp_under_channel_hmac(limited: KernelProcess, scheme: str) -> None:
    import minikernel

    rng, connections = random.Random(scheme), list[socket.socket]()
    for _ in range(1000):
        connections.append(attack(rng, limited.info[f"{rng.choice(CHANNELS)}_port"]))
        if len(connections) > AT_ONCE:
            connections.pop(rng.randrange(AT_ONCE)).close()
    with minikernel.connect(str(limited.file), timeout=PATIENCE) as client:
        result: Any = client.run("print(6 * 7)", timeout=PATIENCE)
        assert result.stdout == "42\n"
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("scheme", ["hmac-sha256"])
def test_a_message_for_which_there_is_no_memory_is_refused(
    limited: KernelProcess, connect: Callable[..., RawClient]
) -> None:
    """libzmq has it, and there is no room for another copy."""
    client = connect(limited)
    size = 200 << 20
    now = int(client.text("print(open('/proc/self/statm').read().split()[0])")) * 4096
    limit = now + size + (size // 2)
    resource.prlimit(limited.process.pid, resource.RLIMIT_AS, (limit, limit))  # type: ignore[attr-defined]  # Linux
    for first in (b"<IDS|MSG>", b""):
        stranger = zmtp.connected(limited.info["shell_port"], "DEALER")
        before = sum(client.rejected("shell").values())
        with contextlib.suppress(OSError):
            stranger.send(zmtp.message([first, b"0" * 64, b"{}", b"{}", b"{}", bytes(size)]))
        while sum(client.rejected("shell").values()) <= before:
            assert limited.process.poll() is None, limited.terminal
        stranger.close()
        assert client.text("print(1)") == "1\n"
