"""What the Linux kernel knows of TCP sockets, asked without root (sock_diag(7)).

/proc/net/tcp has the same, in milliseconds: it is made by walking the table of all connections.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK, SOCK_DIAG = 16, 4  # AF_NETLINK and NETLINK_SOCK_DIAG, which Python does not name
BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: sockets came or went meanwhile
ERROR, DONE = 2, 3  # NLMSG_ERROR and NLMSG_DONE
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, number, port
# inet_diag_req_v2: family, protocol, what else, padding, states; then the sockets' addresses.
REQUEST = struct.Struct("=BBBxI48x")
# inet_diag_msg: family, state, two of its timer; ports, addresses, interface, cookie; and the rest.
ANSWER = struct.Struct("=BBxx2s2s16s16s4x8x12xII")
LISTENS = 1 << 10  # TCP_LISTEN
ATTEMPTS = 5


class Listener(NamedTuple):
    """A TCP socket that waits for connections.

    Args:
        address: numeric.
        port: its number.
        uid: of its owner.
        inode: by which /proc/PID/fd names it.
    """

    address: str
    port: int
    uid: int
    inode: int


def listeners() -> list[Listener]:
    """All that wait for connections in our network namespace, IPv4 and IPv6.

    Raises:
        OSError: this system does not tell.
    """
    if not os.path.exists("/proc/self/ns/net"):  # noqa: PTH110 - in a loop that is to be quick
        raise OSError("sock_diag is Linux's")
    return [*_dump(socket.AF_INET), *_dump(socket.AF_INET6)]


def _dump(family: int) -> list[Listener]:
    for _ in range(ATTEMPTS):
        with socket.socket(NETLINK, socket.SOCK_RAW, SOCK_DIAG) as asked:
            asked.settimeout(1)
            request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, LISTENS)
            header = HEADER.pack(HEADER.size + len(request), BY_FAMILY, DUMP, 1, 0)
            asked.sendto(header + request, (0, 0))
            found = list(_answers(asked))
        if None not in found:
            return [listener for listener in found if listener is not None]
    raise OSError("the table of sockets changes too often")


def _answers(asked: socket.socket) -> Iterator[Listener | None]:
    """Until the last one; None: the table has changed meanwhile."""
    while True:
        packet = asked.recv(1 << 16)
        while packet:
            length, kind, flags, _, _ = HEADER.unpack_from(packet)
            if flags & INTERRUPTED:
                yield None
            if kind == ERROR:
                (number,) = struct.unpack_from("=i", packet, HEADER.size)
                raise OSError(-number, os.strerror(-number))
            if kind == DONE:
                return
            yield _listener(packet[HEADER.size : length])
            packet = packet[(length + 3) & ~3 :]


def _listener(answer: bytes) -> Listener:
    family, _, port, _, address, _, uid, inode = ANSWER.unpack_from(answer)
    packed = address[:4] if family == socket.AF_INET else address
    return Listener(socket.inet_ntop(family, packed), int.from_bytes(port, "big"), uid, inode)
