"""A man in the middle of encrypted connections: he moves bytes, and can read none of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections import deque
from typing import TYPE_CHECKING

from minikernel.lab.network.passing import Passing, Recorder
from minikernel.transport.connection import PORTS
from minikernel.transport.loops import start_thread
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHUNK = 1 << 16


class Relay(Recorder):
    """Sits between clients and a kernel; close it in the end.

    Args:
        addresses: of the kernel's channels, host and port.
    """

    def __init__(self, addresses: Mapping[Channel, tuple[str, int]]) -> None:
        super().__init__()
        self._addresses = addresses
        self._orders: deque[Callable[[], None]] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self._ends: dict[tuple[Channel, bytes, Role], socket.socket] = {}
        self._ended = False
        self.ports = {name: self._listen(channel) for channel, name in PORTS.items()}
        self._thread = start_thread("relay", self._run)

    def close(self) -> None:
        """End the thread and close all connections."""
        self._order(self._end)
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def inject(self, *passings: Passing) -> None:
        """Send bytes on, as if they had come; no rule sees them."""
        for passing in passings:
            self._order(lambda passing=passing: self._put(passing))  # type: ignore[misc]

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        os.write(self._wake_write, b"\0")

    def _listen(self, channel: Channel) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        self._selector.register(server, selectors.EVENT_READ, lambda: self._accept(server, channel))
        return int(server.getsockname()[1])

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select():
                if not self._ended:
                    key.data()

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)
        while self._orders:
            self._orders.popleft()()

    def _end(self) -> None:
        self._ended = True

    def _accept(self, server: socket.socket, channel: Channel) -> None:
        front, (_, port) = server.accept()
        try:
            back = socket.create_connection(self._addresses[channel])
        except OSError:  # the kernel has gone
            front.close()
            return
        name = b"%d" % port
        self._watch(front, channel, name, Role.KERNEL)
        self._watch(back, channel, name, Role.CLIENT)

    def _watch(self, end: socket.socket, channel: Channel, name: bytes, to: Role) -> None:
        """Take what comes from one end of a connection; it goes to the other one."""
        self._ends[channel, name, Role.CLIENT if to is Role.KERNEL else Role.KERNEL] = end
        self._selector.register(
            end, selectors.EVENT_READ, lambda: self._take(end, channel, name, to)
        )

    def _take(self, end: socket.socket, channel: Channel, name: bytes, to: Role) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(CHUNK)
        if not data:
            self._selector.unregister(end)
            end.close()
            if other := self._ends.get((channel, name, to)):
                with contextlib.suppress(OSError):
                    other.shutdown(socket.SHUT_WR)
            return
        for onward in self._record(Passing(channel, to, name, [data])):
            self._put(onward)

    def _put(self, passing: Passing) -> None:
        end = self._ends.get((passing.channel, passing.client, passing.to))
        if end is not None:
            with contextlib.suppress(OSError):  # it has gone
                end.sendall(b"".join(passing.frames))
