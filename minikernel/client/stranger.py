"""Somebody who can reach a kernel's ports and has no key: for demonstrations and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from minikernel.transport import connection
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from typing_extensions import Self

LINGER = 1000  # ms that a closed socket may go on sending


class Stranger:
    """Sends frames to one channel of a kernel just as they are, from a plain ZeroMQ socket.

    Args:
        connection_file: tells the address; the key in it is not used.
        channel: shell, control or stdin.

    Raises:
        ConfigError: the connection file can't be read.
    """

    def __init__(
        self, connection_file: str | os.PathLike[str], channel: Channel = Channel.SHELL
    ) -> None:
        info, _ = connection.read(connection_file)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = LINGER
        self._socket.connect(info.url(channel))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._context.term()

    def send(self, frames: Sequence[bytes]) -> None:
        """Send the frames of one message."""
        self._socket.send_multipart(frames)
