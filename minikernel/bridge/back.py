"""The end of the bridge where the kernel is: this end is its only client."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from minikernel.auth.registry import find
from minikernel.auth.spec import Setup
from minikernel.errors import RemoteProtocolError
from minikernel.protocol.relay import RelayConnection
from minikernel.transport import connection
from minikernel.transport.client_sockets import ClientSockets
from minikernel.transport.sockets import send, uncopied
from minikernel.wire.message import HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minikernel.protocol.relay import Passed
    from minikernel.transport.log import Log
    from minikernel.transport.sockets import KernelSockets
    from minikernel.wire.channels import Channel


class Back:
    """Takes what the kernel says, and sends what it is to be told.

    Args:
        front: sockets of the other end, with which these share threads.
        file: the kernel's connection file.
        log: told what is refused.
    """

    def __init__(self, front: KernelSockets, file: str, log: Log) -> None:
        info, _ = connection.read(file)
        session = os.urandom(16).hex()
        scheme = find(info.signature_scheme).client(
            Setup(info.signature_scheme, info.secret, os.urandom)
        )
        headers = HeaderFactory(session, "1", os.environ.get("USER", ""), _date)
        self.connection = RelayConnection(scheme, headers, session)
        self.sockets = ClientSockets(front.context, info, session.encode())
        self._log = log

    def ask(self, channel: Channel, msg_type: bytes, content: Mapping[str, object]) -> bool:
        """Send a request of our own; whether the kernel takes it."""
        return self.send(channel, self.connection.ask(channel, msg_type, content))

    def send(self, channel: Channel, frames: list[bytes]) -> bool:
        """Send a message; whether the kernel takes it."""
        return send(self.sockets.sockets[channel], uncopied(frames))

    def some(self, channel: Channel) -> Iterator[Passed]:
        """What has come from the kernel and may go on."""
        for frames in self.sockets.inboxes[channel].some():
            try:
                yield self.connection.take(channel, frames)
            except RemoteProtocolError as problem:
                self._log.line(f"{channel.value}: refused from the kernel, {problem.reason}")


def _date() -> bytes:
    return msgspec.json.encode(datetime.now(timezone.utc))
