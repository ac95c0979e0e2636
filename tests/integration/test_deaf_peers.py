"""A peer that ends the connection for good must not make a client wait beyond its deadline.

libzmq gives up a connection whose peer speaks another protocol or mechanism, and then a socket that
sends waits for ever.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
import zmq

import minikernel
from minikernel.auth.challenge_once import NAME as CHALLENGE_ONCE
from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.client.channels import Link, Receiver
from minikernel.errors import KernelDied
from minikernel.transport import connection, curve
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import KernelProcess

PATIENCE = 20
PORTS = tuple(connection.PORTS.values())


def within(action: Callable[[], Any]) -> None:
    """Call, in a thread that may be left behind."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture
def plain_ports() -> Iterator[dict[str, int]]:
    """Sockets of a kernel that does not encrypt, and says nothing."""
    context = zmq.Context()
    sockets = [context.socket(zmq.ROUTER) for _ in PORTS]
    yield {
        name: s.bind_to_random_port("tcp://127.0.0.1")
        for name, s in zip(PORTS, sockets, strict=True)
    }
    context.destroy(0)


@pytest.fixture
def password_port() -> Iterator[int]:
    """The port of a socket that wants a password, of which our clients know nothing."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.plain_server = True
    yield router.bind_to_random_port("tcp://127.0.0.1")
    context.destroy(0)


@pytest.mark.parametrize("scheme", [CHANNEL_HMAC, CHALLENGE_ONCE])
def test_a_handshake_with_a_kernel_that_does_not_encrypt_ends_in_time(
    scheme: str, plain_ports: dict[str, int], tmp_path: Path
) -> None:
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme=scheme, key="k" * 32
    )
    path = tmp_path / "kernel.json"
    connection.write(path, {**fields, **plain_ports, **curve.new_pair()})

    def connect() -> None:
        with pytest.raises(KernelDied, match="under CURVE"):
            minikernel.connect(path, timeout=4)

    within(connect)


def test_a_client_whose_heartbeat_is_deaf_can_be_closed(
    start_kernel: Callable[..., KernelProcess], password_port: int, tmp_path: Path
) -> None:
    kernel = start_kernel(signature_scheme=CHANNEL_HMAC)
    path = tmp_path / "other.json"
    connection.write(path, {**json.loads(kernel.file.read_text()), "hb_port": password_port})

    def use() -> None:
        client = minikernel.connect(path, timeout=PATIENCE)
        while client.hb_channel.pings < 2:
            client.run("1", timeout=PATIENCE)
        client.close()

    within(use)


def test_a_request_for_which_there_is_no_room_ends_in_time(
    start_kernel: Callable[..., KernelProcess], password_port: int, tmp_path: Path
) -> None:
    kernel = start_kernel()
    path = tmp_path / "deaf.json"
    connection.write(path, {**kernel.info, "shell_port": password_port})

    def run() -> None:
        with minikernel.connect(path) as client, pytest.raises(TimeoutError):
            client.run("pass", timeout=1)

    within(run)


def test_a_connection_that_is_given_up_within_a_message_holds_nobody_up(password_port: int) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.monitor("inproc://monitor", zmq.Event.HANDSHAKE_FAILED_PROTOCOL)
        with context.socket(zmq.PAIR) as monitor:
            monitor.connect("inproc://monitor")
            dealer.connect(f"tcp://127.0.0.1:{password_port}")
            link = Link(cast("Any", None), Channel.CONTROL, lambda: None, None)
            receiver = Receiver(dealer, link)
            assert receiver._begin(b"first")
            assert monitor.poll(1000 * PATIENCE)
            within(lambda: receiver._go_on([b"first", b"2", b"3", b"4", b"5"]))
            within(lambda: receiver.offer_frames([b"first", b"second"]))
            dealer.disable_monitor()
