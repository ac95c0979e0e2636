"""A client on `ClientConnection` and plain pyzmq: python plain_client.py FILE CODE."""

from __future__ import annotations

import os
import sys
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.spec import Setup
from minikernel.client.credentials import invitation_in
from minikernel.protocol.client import MESSAGE_CHANNELS, ClientConnection
from minikernel.transport import connection, plugins
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator

    Sockets = dict[Channel, zmq.Socket[Any]]


def connect(file: str, context: zmq.Context[Any]) -> tuple[ClientConnection, Sockets]:
    """A connection, and the socket of each channel, for a connection file."""
    info, fields = connection.read(Path(file))
    name = info.signature_scheme
    spec = plugins.find(name)
    memory = ReplayMemory() if spec.traits.replay_memory else None
    setup = Setup(name, info.secret, os.urandom, memory, invitation_in(fields, name))
    kernel = ClientConnection(
        spec.client(setup),
        spec.traits,
        session=uuid.uuid4().hex,
        username="plain",
        run="1",
        clock=time.monotonic,
        date=lambda: msgspec.json.encode(datetime.now(timezone.utc)),
    )
    sockets: Sockets = {}
    for channel in MESSAGE_CHANNELS:
        sockets[channel] = context.socket(zmq.SUB if channel is Channel.IOPUB else zmq.DEALER)
        if channel is Channel.IOPUB:
            sockets[channel].subscribe(b"")
        elif not spec.traits.sessions:  # a question finds its way to stdin by shell's identity
            sockets[channel].identity = kernel.session.encode()
        sockets[channel].connect(info.url(channel))
    return kernel, sockets


def flush(kernel: ClientConnection, sockets: Sockets) -> None:
    """Send what is due."""
    for channel, frames in kernel.to_send():
        sockets[channel].send_multipart(frames)


def run(
    kernel: ClientConnection, sockets: Sockets, code: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run a cell: type and content of what belongs to it, as it comes."""
    poller, msg_id = zmq.Poller(), None
    missing = {"iopub_welcome", "execute_reply", "idle"}
    for socket in sockets.values():
        poller.register(socket, zmq.POLLIN)
    kernel.renew()
    while missing:
        flush(kernel, sockets)
        if msg_id is None and "iopub_welcome" not in missing and kernel.is_ready(Channel.SHELL):
            content = {"code": code, "silent": False, "allow_stdin": False}
            msg_id = kernel.send(Channel.SHELL, "execute_request", content)
            flush(kernel, sockets)
        wait = kernel.wait()
        ready = dict(poller.poll(None if wait is None else 1000 * wait))
        for channel in MESSAGE_CHANNELS:
            incoming = None
            if sockets[channel] in ready:
                incoming = kernel.take(channel, sockets[channel].recv_multipart())
            if incoming is None:
                continue
            message, parent = incoming.message, incoming.message.parent_header.get("msg_id")
            if (
                parent == msg_id
            ):  # of the cell; before there is one: the welcome, which has no parent
                missing -= {message.header.msg_type, message.content.get("execution_state")}
                yield message.header.msg_type, message.content


if __name__ == "__main__":
    context = zmq.Context()
    for kind, said in run(*connect(sys.argv[1], context), sys.argv[2]):
        print(kind, said)
    context.destroy(0)
