"""Strangers who connect and then say nothing, or stop half way: a client keeps its answers."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import KernelProcess, RawClient

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60
EACH = 34  # strangers of a kind on each of five ports: 510 in all
GROWTH = 30 << 20  # bytes
PORTS = ("shell", "control", "stdin", "iopub", "hb")
GREETING = (  # ZMTP 3.0 (RFC 23)
    b"\xff\0\0\0\0\0\0\0\1\x7f" + b"\3\0" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
)
BEGUN = b"\1\5hello"  # a frame, and more are to follow


def ready(port: str) -> bytes:
    kind = b"SUB" if port == "iopub" else b"DEALER"
    body = b"\5READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    return b"\4" + bytes([len(body)]) + body


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelProcess]:
    """One that may have 1,024 descriptors, and so may this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1024), hard))
    process = KernelProcess(tmp_path_factory.mktemp("kernel"))
    yield process
    process.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def strangers(kernel: KernelProcess) -> Iterator[dict[str, list[socket.socket]]]:
    """Those who are silent, have half greeted, and have begun a message."""
    with contextlib.ExitStack() as stack:

        def connect(port: str, words: bytes) -> socket.socket:
            address = ("127.0.0.1", kernel.info[f"{port}_port"])
            stranger = stack.enter_context(socket.create_connection(address, PATIENCE))
            stranger.sendall(words)
            return stranger

        found: dict[str, list[socket.socket]] = {"silent": [], "greeting": [], "begun": []}
        for port in PORTS:
            said = {"silent": b"", "greeting": GREETING[:30]}
            said["begun"] = GREETING + ready(port) + BEGUN
            for kind, words in said.items():
                found[kind] += [connect(port, words) for _ in range(EACH)]
        yield found


def is_ended(stranger: socket.socket) -> bool:
    """Whether the kernel has ended the connection, after its own half of a greeting."""
    with contextlib.suppress(ConnectionResetError):
        while stranger.recv(4096):
            pass
    return True


def descriptors(kernel: KernelProcess) -> int:
    return int(psutil.Process(kernel.process.pid).num_fds())


def rss(kernel: KernelProcess) -> int:
    return int(psutil.Process(kernel.process.pid).memory_info().rss)


def works(client: RawClient, number: int) -> None:
    assert client.text(f"print({number})") == f"{number}\n"
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"


@pytest.mark.slow
def test_strangers_who_stop_half_way_cost_a_client_nothing(
    kernel: KernelProcess, client: RawClient, request: pytest.FixtureRequest
) -> None:
    works(client, 0)
    memory, before = rss(kernel), descriptors(kernel)
    strangers: dict[str, list[Any]] = request.getfixturevalue("strangers")
    for number in range(20):
        works(client, number)
    newcomer = RawClient(kernel.info)
    works(newcomer, 1)
    newcomer.close()
    assert descriptors(kernel) - before >= len(PORTS) * EACH
    assert rss(kernel) - memory <= GROWTH
    for stranger in strangers["silent"] + strangers["greeting"]:
        assert is_ended(stranger)
    for stranger in strangers["begun"]:
        stranger.close()
    deadline = time.monotonic() + PATIENCE
    while descriptors(kernel) > before:
        assert time.monotonic() < deadline
        works(client, 2)
    assert kernel.terminal == ""
