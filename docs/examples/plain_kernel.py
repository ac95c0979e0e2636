"""A kernel on `KernelConnection` and plain pyzmq, an echo: python plain_kernel.py FILE."""

from __future__ import annotations

import os
import sys
import time
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.spec import Setup
from minikernel.errors import RemoteProtocolError
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import ROUTERS, KernelConnection, error_reply
from minikernel.transport import connection, plugins
from minikernel.wire.channels import Channel
from minikernel.wire.content import REQUESTS, error, ok, reply_type
from minikernel.wire.message import HeaderFactory

if TYPE_CHECKING:
    from minikernel.wire.message import Message

    Sockets = dict[Channel, zmq.Socket[Any]]

LANGUAGE = {"name": "echo", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"}
INFO = ok(protocol_version="5.5", implementation="echo", language_info=LANGUAGE, banner="echo")


def bind(file: str, context: zmq.Context[Any]) -> tuple[KernelConnection, Sockets]:
    """A connection, and the socket of each channel; their ports are written into the file."""
    info, fields = connection.read(file)
    spec = plugins.find(info.signature_scheme)
    memory = ReplayMemory() if spec.traits.replay_memory else None
    date = lambda: msgspec.json.encode(datetime.now(timezone.utc))  # noqa: E731 - fits on a line
    session = uuid.uuid4().hex
    kernel = KernelConnection(
        spec.kernel(Setup(info.signature_scheme, info.secret, os.urandom, memory)),
        spec.traits,
        HeaderFactory(session, "1", "echo", date),
        guards=Guards(own_session=session, buffers=not spec.traits.sessions),
        contents=REQUESTS,
        clock=time.monotonic,
    )
    sockets: Sockets = {}
    for channel, port in connection.PORTS.items():
        sockets[channel] = context.socket(zmq.XPUB if channel is Channel.IOPUB else zmq.ROUTER)
        fields[port] = sockets[channel].bind_to_random_port(f"tcp://{info.ip}")
    connection.write(file, fields)
    return kernel, sockets


class Echo:
    """Answers what comes on shell, control and stdin."""

    def __init__(self, kernel: KernelConnection, sockets: Sockets) -> None:
        self.kernel, self.sockets, self.ended = kernel, sockets, False

    def publish(self, msg_type: bytes, content: dict[str, Any], parent: bytes = b"{}") -> None:
        """Say something on iopub."""
        frames = self.kernel.publish(msg_type, content, topic=msg_type, parent=parent)
        self.sockets[Channel.IOPUB].send_multipart(frames)

    def reply(self, channel: Channel, message: Message, content: dict[str, Any]) -> None:
        """Answer a request."""
        kind = reply_type(message.header.msg_type)
        frames = self.kernel.compose(channel, kind, content, parent=message.header_frame)
        self.kernel.send(channel, frames, message.peer)

    def take(self, channel: Channel, frames: list[bytes]) -> None:
        """Do what a message asks for; one that is refused costs nobody anything."""
        try:
            message = self.kernel.take(channel, frames)
        except RemoteProtocolError as problem:
            if (refused := error_reply(problem)) is not None:
                said = self.kernel.compose(
                    channel, refused.msg_type, refused.content, parent=refused.parent
                )
                self.kernel.send(channel, said, refused.to)
            return
        if message is None:
            return
        if self.kernel.is_handshake(message):
            answer = self.kernel.shake_hands(channel, message, busy=False)
            if answer.content is not None:
                self.reply(channel, message, dict(answer.content))
            if answer.welcome:
                self.publish(b"iopub_welcome", {"subscription": ""})
        elif channel is not Channel.STDIN:  # nobody is asked for anything
            self.publish(b"status", {"execution_state": "busy"}, message.header_frame)
            self.reply(channel, message, self.answer(message))
            self.publish(b"status", {"execution_state": "idle"}, message.header_frame)

    def answer(self, message: Message) -> dict[str, Any]:
        """The content of a reply."""
        msg_type = message.header.msg_type
        if msg_type == "execute_request":
            said = {"name": "stdout", "text": message.content.code}
            self.publish(b"stream", said, message.header_frame)
            return ok(execution_count=1, user_expressions={}, payload=[])
        self.ended = msg_type == "shutdown_request"
        if self.ended:
            return ok(restart=False)
        known = msg_type == "kernel_info_request"
        return INFO if known else error("UnknownRequest", f"no {msg_type} here")

    def serve(self) -> None:
        """Answer until a shutdown_request."""
        poller = zmq.Poller()
        for socket in self.sockets.values():
            poller.register(socket, zmq.POLLIN)
        while not self.ended:
            ready = dict(poller.poll(1000))
            if self.sockets[Channel.IOPUB] in ready:
                subscribed = self.sockets[Channel.IOPUB].recv()
                if subscribed == b"\1" and not self.kernel.traits.sessions:
                    self.publish(b"iopub_welcome", {"subscription": ""})
            if self.sockets[Channel.HEARTBEAT] in ready:
                ping = self.sockets[Channel.HEARTBEAT].recv_multipart()
                beats = self.kernel.heartbeat
                pong = ping if beats is None else beats.answer(ping)
                if pong is not None:
                    self.sockets[Channel.HEARTBEAT].send_multipart(pong)
            for channel in ROUTERS:
                if self.sockets[channel] in ready:
                    self.take(channel, self.sockets[channel].recv_multipart())
                    for frames in self.kernel.to_send(channel):
                        self.sockets[channel].send_multipart(frames)


if __name__ == "__main__":
    context = zmq.Context()
    Echo(*bind(sys.argv[1], context)).serve()
    context.term()
