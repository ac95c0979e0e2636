"""A stranger on a plain TCP socket, against a real ROUTER."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
import zmq

from minikernel.cli.outsider import frame, outsider

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10_000  # ms


@pytest.fixture
def router() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.linger = 0
        socket.rcvtimeo = PATIENCE
        yield socket


def test_a_router_takes_its_messages(router: zmq.Socket[bytes]) -> None:
    port = router.bind_to_random_port("tcp://127.0.0.1")
    messages = [[b"a", b"", b"c" * 255], [b"d" * 256, b"e" * 100_000], [b""]]
    with outsider("127.0.0.1", port) as stranger:
        for message in messages:
            stranger.send(message)
        assert [router.recv_multipart()[1:] for _ in messages] == messages


def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionRefusedError), outsider("127.0.0.1", port):
        pass


def test_whoever_hangs_up_is_an_error() -> None:
    def hang_up() -> None:
        server.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(ConnectionError), outsider("127.0.0.1", server.getsockname()[1]):
            pass
        thread.join()


@pytest.mark.parametrize(
    ("body", "flags", "start"),
    [(b"ab", 1, b"\x01\x02ab"), (b"", 0, b"\x00\x00"), (bytes(256), 1, b"\x03" + bytes(6) + b"\1")],
)
def test_frame(body: bytes, flags: int, start: bytes) -> None:
    assert frame(body, flags).startswith(start)
