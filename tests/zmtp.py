"""ZMTP 3.0 (RFC 23) by hand: what a peer may send that libzmq itself never would."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 20
MORE, LONG, COMMAND = 1, 2, 4
SHORTEST_LONG = 256  # bytes
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    if len(body) < SHORTEST_LONG:
        return bytes([flags, len(body)]) + body
    return struct.pack(">BQ", flags | LONG, len(body)) + body


def message(frames: Iterable[bytes]) -> bytes:
    *first, last = frames
    return b"".join(frame(body, MORE) for body in first) + frame(last)


def ready(kind: str, identity: bytes = b"") -> bytes:
    """The command that ends the handshake of the mechanism NULL."""
    properties = {b"Socket-Type": kind.encode(), b"Identity": identity}
    body = b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in properties.items()
    )
    return frame(b"\x05READY" + body, COMMAND)


class Stranger:
    """A connection to one of a kernel's sockets."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)

    def greet(self, kind: str, identity: bytes = b"") -> None:
        self.send(GREETING + ready(kind, identity))
        assert self.receive(len(GREETING)).startswith(b"\xff")
        _, size = self.receive(2)
        self.receive(size)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            some = self.socket.recv(size - len(found))
            if not some:
                raise EOFError
            found += some
        return found

    def close(self) -> None:
        self.socket.close()


def connected(port: int, kind: str, identity: bytes = b"") -> Stranger:
    stranger = Stranger(port)
    stranger.greet(kind, identity)
    return stranger
