"""A server of streams over real sockets: it stays small, and says little."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.tcp.server import Server
from minikernel.tcp.stream import Stream, connect, welcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20  # seconds
KEY = SecretKey(b"a key that both hold")


class Running:
    """A server in a thread, and what it logged."""

    def __init__(self, handle: Callable[[Stream], object], limit: int) -> None:
        self.logged: list[str] = []
        self.told = threading.Semaphore(0)
        self.server = Server(("127.0.0.1", 0), handle, limit=limit, timeout=PATIENCE, log=self.log)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def log(self, text: str) -> None:
        self.logged.append(text)
        self.told.release()

    def connect(self) -> Stream:
        return connect(self.server.server_address[:2], PATIENCE)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(handle: Callable[[Stream], object], limit: int = 2) -> Running:
        running.append(Running(handle, limit))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def echo_a_byte(stream: Stream) -> None:
    while byte := stream.receive_some(1):
        stream.send(byte)


def works(stream: Stream) -> bool:
    stream.send(b"x")
    return stream.receive_some(1) == b"x"


def test_connections_beyond_the_limit_are_closed(serve: Callable[..., Running]) -> None:
    running = serve(echo_a_byte)
    with closing(running.connect()) as first, closing(running.connect()) as second:
        assert works(first)
        assert works(second)
        with closing(running.connect()) as third:
            assert third.receive_some(1) == b""
        assert running.logged == ["a connection was closed: there are as many as may be"]
        assert works(first)


def test_a_connection_that_ends_makes_room(serve: Callable[..., Running]) -> None:
    running = serve(echo_a_byte, limit=1)
    for _ in range(20):
        with closing(running.connect()) as stream:
            assert works(stream)
            stream._socket.shutdown(socket.SHUT_WR)
            assert stream.receive_some(1) == b""


def test_errors_of_a_connection_are_a_line_without_the_peer_s_bytes(
    serve: Callable[..., Running],
) -> None:
    running = serve(lambda stream: welcome(stream, KEY))
    with closing(running.connect()) as stream:
        stream.send_message(b"\x1b[31mjunk")
        assert running.told.acquire(timeout=PATIENCE)
    assert running.logged == [
        "a connection was refused: the peer's answer is wrong: another key, or another dialect"
    ]


def test_a_closed_server_leaves_no_thread(serve: Callable[..., Running]) -> None:
    before = threading.active_count()
    running = serve(echo_a_byte)
    with closing(running.connect()) as stream:
        assert works(stream)
        running.stop()
        assert threading.active_count() == before
        assert stream.receive_some(1) == b""
