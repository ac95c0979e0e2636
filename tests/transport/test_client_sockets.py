from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import zmq

from minikernel.transport import connection
from minikernel.transport.client_sockets import ClientSockets
from minikernel.transport.connection import ConnectionInfo
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    context.destroy(0)


@pytest.fixture
def info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConnectionInfo:
    monkeypatch.chdir(tmp_path)  # for a path that is short enough
    ports = dict(zip(connection.PORTS.values(), range(1, 6), strict=True))
    return ConnectionInfo(**ports, transport="ipc", ip="k")


def until_room(client: ClientSockets, channel: Channel) -> None:
    deadline = time.monotonic() + PATIENCE
    while not client.has_room(channel):
        assert time.monotonic() < deadline
        client.wait(0.01)


@pytest.mark.parametrize("separator", ["-", ":"])
def test_it_finds_the_kernel_once_it_is_there(
    context: zmq.Context[zmq.Socket[bytes]], info: ConnectionInfo, separator: str
) -> None:
    client = ClientSockets(context, info, b"me")
    assert not any(client.has_room(channel) for channel in (Channel.SHELL, Channel.HEARTBEAT))
    kernel = {c: context.socket(zmq.ROUTER) for c in (Channel.SHELL, Channel.HEARTBEAT)}
    for channel, socket in kernel.items():
        port = getattr(info, connection.PORTS[channel])
        socket.bind(f"ipc://k{separator}{port}")
        until_room(client, channel)
    client.settle()
    for channel, socket in kernel.items():
        client.sockets[channel].send(b"hello")
        assert socket.poll(PATIENCE * 1000)
        identity, _ = socket.recv_multipart()
        assert (identity == b"me") == (channel is Channel.SHELL)
        socket.send_multipart([identity, b"answer"])
        assert client.wait(PATIENCE)
        assert client.inboxes[channel].next() == [b"answer"]
    assert not client.wait(0.0)
    client.close()
    context.destroy(0)


def test_it_hears_everything(context: zmq.Context[zmq.Socket[bytes]], info: ConnectionInfo) -> None:
    client = ClientSockets(context, info, b"me")
    kernel = context.socket(zmq.XPUB)
    kernel.bind(f"ipc://k-{info.iopub_port}")
    deadline = time.monotonic() + PATIENCE
    while not kernel.poll(10):
        assert time.monotonic() < deadline
        client.wait(0.0)  # a connection is taken by the socket's own thread
    assert kernel.recv() == b"\x01"
    kernel.send_multipart([b"topic", b"said"])
    assert client.wait(PATIENCE)
    assert client.inboxes[Channel.IOPUB].next() == [b"topic", b"said"]
    context.destroy(0)


def test_what_the_kernel_does_not_take_is_known(
    context: zmq.Context[zmq.Socket[bytes]], info: ConnectionInfo
) -> None:
    client = ClientSockets(context, info, b"me")
    kernel = context.socket(zmq.ROUTER)
    kernel.rcvhwm = 10
    kernel.bind(f"ipc://k-{info.shell_port}")
    until_room(client, Channel.SHELL)
    sent = 0
    while client.has_room(Channel.SHELL):
        client.sockets[Channel.SHELL].send(bytes(65536))
        sent += 1
        assert sent < 100_000
    for _ in range(sent):
        kernel.recv_multipart()
    until_room(client, Channel.SHELL)
    context.destroy(0)
