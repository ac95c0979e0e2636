"""A stranger at a kernel's port: a plain TCP socket that speaks just enough ZeroMQ.

Anybody who can reach a port can do this; no ZeroMQ library and no key are needed. The wire is ZMTP
3.0 (rfc.zeromq.org/spec/23) with the NULL mechanism.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE = 5.0  # seconds that the other side may take
SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETING = SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame
SHORT = 255  # bytes of the longest frame whose length takes one byte


class Outsider:
    """A DEALER by hand.

    Args:
        connected: a TCP connection to a ROUTER.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.sendall(GREETING)
        self._read(len(GREETING))
        self._socket.sendall(frame(b"\x05READY" + _property(b"Socket-Type", b"DEALER"), COMMAND))
        _, length = self._read(2)
        self._read(length)  # the other side's READY

    def send(self, frames: Sequence[bytes]) -> None:
        """Send one message, whatever it says."""
        flags = [MORE] * (len(frames) - 1) + [0]
        self._socket.sendall(b"".join(map(frame, frames, flags)))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the other side has closed the connection")
            data += more
        return data


@contextlib.contextmanager
def outsider(ip: str, port: int) -> Iterator[Outsider]:
    """An outsider at a port.

    Raises:
        OSError: nobody there, or nobody who speaks ZMTP.
    """
    with socket.create_connection((ip, port), PATIENCE) as connected:
        yield Outsider(connected)


def frame(body: bytes, flags: int) -> bytes:
    """A frame of ZMTP 3.0, section "Framing"."""
    if len(body) > SHORT:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
