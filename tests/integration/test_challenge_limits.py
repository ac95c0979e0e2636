"""What a one-time challenge can't do, shown over real sockets (docs/challenge.md).

The attackers here hold no key. Each test ends with what they got.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.challenge import (
    CHALLENGE,
    MD5,
    PLAIN,
    SHA256,
    WELCOME,
    Challenger,
    Dialect,
    Responder,
)
from minikernel.auth.keys import SecretKey
from minikernel.tcp.stream import (
    Stream,
    answer_challenge,
    connect,
    deliver_challenge,
    introduce,
    welcome,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PEER = Path(__file__).parents[1] / "vectors" / "multiprocessing_peer.py"
PATIENCE = 20  # seconds
KEY = SecretKey(b"nobody but the victims holds it")
MUTUAL = pytest.mark.parametrize("dialect", [SHA256, MD5], ids=lambda d: d.name)


@pytest.fixture
def victims() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def accept(server: socket.socket) -> Stream:
    return Stream(server.accept()[0], PATIENCE)


def client(address: tuple[str, int], dialect: Dialect, message: bytes) -> bytes:
    """A victim: makes sure that the listener holds the key, then tells it something."""
    with closing(connect(address, PATIENCE)) as stream:
        introduce(stream, KEY, dialect)
        stream.send_message(message)
        return stream.receive_message()


def listener(server: socket.socket, dialect: Dialect) -> bytes:
    """A victim: makes sure that the client holds the key, then does what it says."""
    with closing(accept(server)) as stream:
        welcome(stream, KEY, dialect)
        order = stream.receive_message()
        stream.send_message(b"done: " + order)
        return order


def reflect(first: Stream, second: Stream) -> None:
    """Pass for the listener to a client that connected twice.

    A client answers before it asks: its second connection answers what its first one asks.
    """
    first.send_message(CHALLENGE + SHA256.tag + bytes(40))
    first.receive_message()
    first.send_message(WELCOME)
    question = first.receive_message()
    second.send_message(question)
    first.send_message(second.receive_message())
    assert first.receive_message() == WELCOME


@MUTUAL
def test_reflection(victims: ThreadPoolExecutor, dialect: Dialect) -> None:
    with listening() as stranger:
        address = stranger.getsockname()
        told = victims.submit(client, address, dialect, b"a secret")
        with closing(accept(stranger)) as first:
            other = victims.submit(client, address, dialect, b"another secret")
            with closing(accept(stranger)) as second:
                reflect(first, second)
                assert first.receive_message() == b"a secret"
                first.send_message(b"thank you")
                assert told.result(PATIENCE) == b"thank you"
        assert other.exception(PATIENCE) is not None


def test_reflection_to_the_real_multiprocessing_client() -> None:
    with listening() as stranger:
        command = [sys.executable, str(PEER), "connect", str(stranger.getsockname()[1])]
        environment = {**os.environ, "PEER_KEY": KEY.reveal().decode()}
        with (
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as one,
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as two,
        ):
            with closing(accept(stranger)) as first, closing(accept(stranger)) as second:
                reflect(first, second)
                assert first.receive_message() == b"hello"
                first.send_message(b"thank you")
            said = {process.communicate(timeout=PATIENCE)[0].strip() for process in (one, two)}
    assert said == {b"thank you", b"EOFError"}


@MUTUAL
def test_relay(victims: ThreadPoolExecutor, dialect: Dialect) -> None:
    with listening() as server, listening() as middle:
        obeyed = victims.submit(listener, server, dialect)
        victim = victims.submit(client, middle.getsockname(), dialect, b"print('hello')")
        with (
            closing(accept(middle)) as near,
            closing(connect(server.getsockname(), PATIENCE)) as far,
        ):
            relay_handshake(near, far)
            far.send_message(b"delete everything")
            assert far.receive_message() == b"done: delete everything"
        assert obeyed.result(PATIENCE) == b"delete everything"
        assert victim.exception(PATIENCE) is not None


def relay_handshake(near: Stream, far: Stream) -> None:
    """The six messages of client and listener, each as it is: none names a connection."""
    for source, target in ((far, near), (near, far), (far, near)):
        target.send_message(source.receive_message())
    for source, target in ((near, far), (far, near), (near, far)):
        target.send_message(source.receive_message())


def test_relay_of_the_plain_challenge(victims: ThreadPoolExecutor) -> None:
    def echo(server: socket.socket) -> bytes:
        with closing(accept(server)) as stream:
            challenger = Challenger(KEY, nonce=os.urandom(32), dialect=PLAIN)
            deliver_challenge(stream, challenger)
            return stream.receive_some(100)

    def meet(address: tuple[str, int]) -> None:
        with closing(connect(address, PATIENCE)) as stream:
            answer_challenge(stream, Responder(KEY, dialect=PLAIN))

    with listening() as server, listening() as stranger:
        taken = victims.submit(echo, server)
        victim = victims.submit(meet, stranger.getsockname())
        with (
            closing(accept(stranger)) as near,
            closing(connect(server.getsockname(), PATIENCE)) as far,
        ):
            near.send(far.receive(32))
            far.send(near.receive(32))
            far.send(b"from a stranger")
            assert taken.result(PATIENCE) == b"from a stranger"
        victim.result(PATIENCE)


@MUTUAL
def test_the_stream_afterwards_is_not_authenticated(
    victims: ThreadPoolExecutor, dialect: Dialect
) -> None:
    with listening() as server, listening() as middle:
        obeyed = victims.submit(listener, server, dialect)
        victim = victims.submit(client, middle.getsockname(), dialect, b"pay 10 to Alice")
        with (
            closing(accept(middle)) as near,
            closing(connect(server.getsockname(), PATIENCE)) as far,
        ):
            relay_handshake(near, far)
            far.send_message(near.receive_message().replace(b"Alice", b"Mallory"))
            near.send_message(far.receive_message().replace(b"Mallory", b"Alice"))
        assert obeyed.result(PATIENCE) == b"pay 10 to Mallory"
        assert victim.result(PATIENCE) == b"done: pay 10 to Alice"
