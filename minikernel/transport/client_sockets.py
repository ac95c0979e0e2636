"""The five sockets of a client that connects to a kernel on ipc."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import zmq

from minikernel.transport.connection import PORTS
from minikernel.transport.sockets import EVENTS, MORE_ROOM, Inbox, get_option
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from minikernel.transport.connection import ConnectionInfo
    from minikernel.transport.sockets import Socket

RECONNECT = 10  # ms between two looks whether the kernel has made its socket
SEPARATORS = "-:"  # between path and port: jupyter_client's way, and that of some kernels
OUTPUTS = 100_000  # messages of iopub that wait here, before the kernel drops what follows
ANY_NUMBER = 0  # replies: there are no more than requests


class ClientSockets:
    """Connects to a kernel that may not be there yet, wherever on ipc it will be.

    Args:
        context: whose threads move the frames.
        info: where the kernel was told to bind.
        identity: by which the kernel asks on stdin who has asked it on shell.
    """

    def __init__(self, context: zmq.Context[Socket], info: ConnectionInfo, identity: bytes) -> None:
        self._info = info
        self.sockets: dict[Channel, Socket] = {}
        for channel in PORTS:
            socket = context.socket(zmq.SUB if channel is Channel.IOPUB else zmq.DEALER)
            socket.linger = 0
            socket.immediate = 1  # only where somebody is: one of the addresses has nobody
            socket.reconnect_ivl = RECONNECT
            socket.rcvhwm = OUTPUTS if channel is Channel.IOPUB else ANY_NUMBER
            if channel is Channel.IOPUB:
                socket.subscribe(b"")
            elif channel is not Channel.HEARTBEAT:
                socket.identity = identity
            for address in self._addresses(channel):
                socket.connect(address)
            self.sockets[channel] = socket
        self._poller = zmq.Poller()
        for socket in self.sockets.values():
            self._poller.register(socket, zmq.POLLIN)
        self.inboxes = {channel: Inbox(socket) for channel, socket in self.sockets.items()}

    def _addresses(self, channel: Channel) -> list[str]:
        path, _, port = self._info.ipc_path(channel).rpartition("-")
        return [f"ipc://{path}{separator}{port}" for separator in SEPARATORS]

    def settle(self) -> None:
        """The kernel is there: look no more for it where it is not. To be called once."""
        for channel, socket in self.sockets.items():
            addresses = self._addresses(channel)
            there = [a for a in addresses if os.path.exists(a.removeprefix("ipc://"))]  # noqa: PTH110 - a name, not a path to work with
            for address in addresses if there else ():
                if address not in there:
                    socket.disconnect(address)

    def has_room(self, channel: Channel) -> bool:
        """Whether a message can be sent: the kernel is there, and takes what it gets."""
        return bool(int(get_option(self.sockets[channel], EVENTS)) & MORE_ROOM)

    def wait(self, seconds: float) -> bool:
        """Whether something has come, or comes until then."""
        return bool(self._poller.poll(int(1000 * seconds)))

    def close(self) -> None:
        """Close them at once."""
        for socket in self.sockets.values():
            socket.close()
