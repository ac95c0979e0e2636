"""What libzmq tells of the connection of a client's socket."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import zmq

from minikernel.transport.sockets import Inbox

if TYPE_CHECKING:
    Socket = zmq.Socket[bytes]

EVENTS = zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED
UP = int(zmq.Event.HANDSHAKE_SUCCEEDED)


class Connection:
    """A socket's connection to the kernel: whether it is up, and since when it is not.

    A kernel that is suspended, or holds the GIL, keeps it; one that has ended does not.

    Args:
        socket: is watched.
        context: of the socket through which libzmq tells.
    """

    def __init__(self, socket: Socket, context: zmq.Context[Any]) -> None:
        self._socket = socket
        self._lost = False
        self._is_up = False
        self._down_since: float | None = None  # seconds, monotonic
        address = f"inproc://minikernel-monitor-{id(socket)}"
        socket.monitor(address, EVENTS)
        self.monitor: Socket = context.socket(zmq.PAIR, socket_class=zmq.Socket)
        self.monitor.connect(address)
        self._events = Inbox(self.monitor)

    def close(self) -> None:
        """End the watch."""
        if not self.monitor.closed:
            if not self._socket.closed:
                self._socket.disable_monitor()
            self.monitor.close(linger=0)

    def has_been_lost(self) -> bool:
        """Whether it was lost since this was asked last."""
        self._look()
        lost, self._lost = self._lost, False
        return lost

    def is_up(self) -> bool:
        """Whether there is one, over which messages can go."""
        self._look()
        return self._is_up

    def down_for(self) -> float:
        """Seconds since it was lost and not made again."""
        self._look()
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def _look(self) -> None:
        while not self.monitor.closed and (frames := self._events.whole()) is not None:
            self._is_up = int.from_bytes(frames[0][:2], sys.byteorder) == UP
            if self._is_up:
                self._down_since = None
            else:
                self._lost = True
                self._down_since = self._down_since or time.monotonic()
