"""What comes from the kernel's side and is not the kernel's."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.bridge.back import Back
from minikernel.transport import connection
from minikernel.transport.log import Log
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER
from tests.bridge.protected import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "the kernel's"


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    return tmp_path / "terminal"


@pytest.fixture
def front() -> Iterator[KernelSockets]:
    sockets = KernelSockets(
        connection.ConnectionInfo(**dict.fromkeys(connection.PORTS.values(), 0))
    )
    yield sockets
    sockets.close()


@pytest.fixture
def back(
    tmp_path: Path, terminal: Path, front: KernelSockets, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Back]:
    monkeypatch.chdir(tmp_path)
    ports = {name: number for number, name in enumerate(connection.PORTS.values(), 1)}
    fields = {**ports, "transport": "ipc", "ip": "k", "key": KEY}
    connection.write("kernel.json", fields)
    file = os.open(terminal, os.O_WRONLY | os.O_CREAT, 0o600)
    back = Back(front, "kernel.json", Log(lambda: file))
    yield back
    back.sockets.close()
    os.close(file)


@pytest.fixture
def kernel(front: KernelSockets, back: Back) -> Iterator[zmq.Socket[bytes]]:
    """The kernel's shell; the bridge's request lies there."""
    with front.context.socket(zmq.ROUTER) as socket:
        socket.bind("ipc://k-1")
        wait_until(lambda: back.sockets.has_room(Channel.SHELL))
        yield socket


def answer(frames: list[bytes], key: str) -> list[bytes]:
    identity, _, signature, *parts = frames
    assert create("hmac-sha256", SecretKey(KEY.encode()), None).sign(parts) == signature
    header = json.dumps({"msg_id": "2", "msg_type": "kernel_info_reply", "session": "k"}).encode()
    said = [header, parts[0], b"{}", b"{}"]
    scheme = create("hmac-sha256", SecretKey(key.encode()), None)
    return [identity, DELIMITER, scheme.sign(said), *said]


def heard(back: Back) -> list[Any]:
    assert back.sockets.wait(20)
    return list(back.some(Channel.SHELL))


def test_the_kernel_is_heard(back: Back, kernel: zmq.Socket[bytes]) -> None:
    assert back.ask(Channel.SHELL, b"kernel_info_request", {})
    kernel.send_multipart(answer(kernel.recv_multipart(), KEY))
    (passed,) = heard(back)
    assert passed.own


def test_who_has_not_its_key_is_not(back: Back, kernel: zmq.Socket[bytes], terminal: Path) -> None:
    assert back.ask(Channel.SHELL, b"kernel_info_request", {})
    kernel.send_multipart(answer(kernel.recv_multipart(), "another"))
    assert heard(back) == []
    assert terminal.read_text() == ("minikernel: shell: refused from the kernel, bad signature\n")
