from __future__ import annotations

import threading

import zmq

from minikernel.transport import connection
from minikernel.transport.connection import ConnectionInfo
from minikernel.transport.sockets import Inbox, KernelSockets, send, uncopied

PATIENCE = 20


def test_sockets_that_were_never_served_can_be_closed() -> None:
    info = ConnectionInfo(**dict.fromkeys(connection.PORTS.values(), 0))
    closing = threading.Thread(target=KernelSockets(info).close, daemon=True)
    closing.start()
    closing.join(PATIENCE)
    assert not closing.is_alive()


def test_a_large_frame_is_sent_without_a_copy() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    first, second = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    first.bind("inproc://a")
    second.connect("inproc://a")
    frames = [b"small"] * 7 + [bytes(range(256)) * 8192]
    assert send(first, frames)
    taken = Inbox(second).wait()
    large = uncopied(taken)
    assert large[:7] == frames[:7]
    assert isinstance(large[7], zmq.Frame)
    assert send(second, large)
    assert Inbox(first).wait() == frames
    context.destroy(0)
