"""Whether a connection stands, as libzmq tells it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import zmq

from minikernel.client.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline


def test_it_is_lost_and_made_again() -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger, dealer.reconnect_ivl = 0, 5
        connection = Connection(dealer, context)
        with context.socket(zmq.ROUTER) as router:
            port = router.bind_to_random_port("tcp://127.0.0.1")
            dealer.connect(f"tcp://127.0.0.1:{port}")
            until(connection.is_up)
            assert (connection.down_for(), connection.has_been_lost()) == (0, False)
        until(lambda: connection.down_for() > 0)
        assert not connection.is_up()
        assert (connection.has_been_lost(), connection.has_been_lost()) == (True, False)
        with context.socket(zmq.ROUTER) as again:
            until(lambda: binds(again, port))
            until(connection.is_up)
            assert connection.down_for() == 0
            connection.close()
            connection.close()
        assert not connection.has_been_lost()


def binds(router: zmq.Socket[bytes], port: int) -> bool:
    """Whether the port is free again, and taken now."""
    try:
        router.bind(f"tcp://127.0.0.1:{port}")
    except zmq.ZMQError:
        return False
    return True


def test_one_that_was_never_made_is_not_down() -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        connection = Connection(dealer, context)
        dealer.connect("tcp://127.0.0.1:1")
        assert not dealer.poll(200)
        assert (connection.is_up(), connection.down_for()) == (False, 0)
        connection.close()
