"""A man in the middle of all five channels, and loose sockets: what `minikernel lab` attacks with.

It speaks ZeroMQ to both sides and holds no key. A thread of its own forwards; a rule sees each
message, and says what goes on in its place.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING

import zmq

from minikernel.lab.network.passing import Passing, Recorder
from minikernel.transport.connection import PORTS
from minikernel.transport.loops import start_thread
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minikernel.auth.keys import SecretKey
    from minikernel.transport.curve import ClientKeys

    Socket = zmq.Socket[bytes]

MESSAGES = (Channel.SHELL, Channel.CONTROL, Channel.STDIN)
ROUTED = (*MESSAGES, Channel.HEARTBEAT)
RECONNECT = 5  # ms
SUBSCRIPTION = b"\1"  # to all topics
ASSIGNED = b"\0"  # what an identity begins with that its owner did not choose


class Middle(Recorder):
    """Sits between clients and a kernel; close it in the end.

    Args:
        urls: of the kernel's channels.
        keys: CURVE keys, if it holds some: the kernel's pair, and a client's.
    """

    def __init__(
        self, urls: Mapping[Channel, str], keys: tuple[SecretKey, ClientKeys] | None = None
    ) -> None:
        super().__init__()
        self._urls = urls
        self._keys = keys
        self._context = zmq.Context()
        self._context.linger = 0
        self._orders: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        self._ended = False
        self._backs: dict[tuple[Channel, bytes], Socket] = {}
        self._poller = zmq.Poller()
        self._poller.register(self._wake_read, zmq.POLLIN)
        self._fronts = {channel: self._front(channel) for channel in PORTS}
        self._xsub = self._socket(zmq.XSUB)
        self._connect(self._xsub, Channel.IOPUB)
        self.ports = {PORTS[c]: _port(front) for c, front in self._fronts.items()}
        self._thread = start_thread("middle", self._run)

    def close(self) -> None:
        """End the thread and close all sockets."""
        self._order(self._end)
        self._thread.join()
        self._context.destroy(0)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def inject(self, *passings: Passing) -> None:
        """Send messages on, as if they had come; no rule sees them."""
        for passing in passings:
            self._order(lambda passing=passing: self._put(passing))  # type: ignore[misc]

    def cut(self, client: bytes) -> None:
        """Close the connections to the kernel that were made for a client."""
        self._order(lambda: self._cut(client))

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        os.write(self._wake_write, b"\0")

    def _socket(self, kind: int) -> Socket:
        socket = self._context.socket(kind)
        socket.set_hwm(0)
        socket.reconnect_ivl = RECONNECT
        self._poller.register(socket, zmq.POLLIN)
        return socket

    def _connect(self, socket: Socket, channel: Channel) -> None:
        if self._keys is not None:
            self._keys[1].secure(socket)
        socket.connect(self._urls[channel])

    def _front(self, channel: Channel) -> Socket:
        front = self._socket(zmq.ROUTER if channel in ROUTED else zmq.XPUB)
        if channel in ROUTED:
            front.router_handover = True
        else:
            front.xpub_verbose = True
        if self._keys is not None:
            front.curve_server = True
            front.curve_secretkey = self._keys[0].reveal()
        front.bind("tcp://127.0.0.1:0")
        return front

    def _run(self) -> None:
        while not self._ended:
            ready = dict(self._poller.poll())
            if ready.pop(self._wake_read, None):
                os.read(self._wake_read, 4096)
            while self._orders:
                self._orders.popleft()()
            for socket in ready:
                if not self._ended and not socket.closed:
                    self._drain(socket)

    def _end(self) -> None:
        self._ended = True

    def _drain(self, socket: Socket) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                self._take(socket, socket.recv_multipart(zmq.NOBLOCK))

    def _take(self, socket: Socket, frames: list[bytes]) -> None:
        if socket is self._fronts[Channel.IOPUB]:
            self._xsub.send_multipart(frames)  # a subscription
            return
        for onward in self._record(self._passing(socket, frames)):
            self._put(onward)

    def _passing(self, socket: Socket, frames: list[bytes]) -> Passing:
        if socket is self._xsub:
            return Passing(Channel.IOPUB, Role.CLIENT, b"", frames)
        for channel, front in self._fronts.items():
            if front is socket:
                return Passing(channel, Role.KERNEL, frames[0], frames[1:])
        channel, client = next(key for key, back in self._backs.items() if back is socket)
        return Passing(channel, Role.CLIENT, client, frames)

    def _put(self, passing: Passing) -> None:
        if passing.to is Role.KERNEL:
            self._back(passing.channel, passing.client).send_multipart(passing.frames)
        elif passing.channel is Channel.IOPUB:
            self._fronts[Channel.IOPUB].send_multipart(passing.frames)
        else:
            self._fronts[passing.channel].send_multipart([passing.client, *passing.frames])

    def _back(self, channel: Channel, client: bytes) -> Socket:
        """The connection to the kernel for one connection of a client."""
        if (channel, client) not in self._backs:
            # A client that chose its identity is the same everywhere, and may be asked on stdin
            # before it has said anything there.
            chosen = not client.startswith(ASSIGNED)
            for other in MESSAGES if chosen and channel in MESSAGES else (channel,):
                back = self._backs[other, client] = self._socket(zmq.DEALER)
                if chosen:
                    back.identity = client
                self._connect(back, other)
        return self._backs[channel, client]

    def _cut(self, client: bytes) -> None:
        for key in [key for key in self._backs if key[1] == client]:
            back = self._backs.pop(key)
            self._poller.unregister(back)
            back.close(0)


class Loose:
    """One socket of an attacker's, straight to a kernel's port."""

    def __init__(
        self, url: str, channel: Channel, identity: bytes = b"", keys: ClientKeys | None = None
    ) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XSUB if channel is Channel.IOPUB else zmq.DEALER)
        self._socket.set_hwm(0)
        self._socket.reconnect_ivl = RECONNECT
        if identity and channel is not Channel.IOPUB and not identity.startswith(ASSIGNED):
            self._socket.identity = identity
        if keys is not None:
            keys.secure(self._socket)
        self._socket.connect(url)
        if channel is Channel.IOPUB:
            self._socket.send(SUBSCRIPTION)

    def send(self, *messages: list[bytes]) -> None:
        """Send messages, whatever they say."""
        for frames in messages:
            self._socket.send_multipart(frames)

    def receive(self, timeout: float) -> list[bytes] | None:
        """The next message; None: none came in `timeout` seconds."""
        if not self._socket.poll(int(timeout * 1000)):
            return None
        return self._socket.recv_multipart()

    def close(self) -> None:
        """Drop what was not sent."""
        self._context.destroy(0)


def _port(socket: Socket) -> int:
    endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    return int(endpoint.rstrip("\0").rpartition(":")[2])
