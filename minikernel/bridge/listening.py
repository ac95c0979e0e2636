"""Where a kernel can be reached: looked up in the system, whatever the kernel says.

A socket is a kernel's if one of its processes has a descriptor of it. The tables of sockets are
those of the network namespace that the process is in (proc(5), /proc/PID/net).
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

from minikernel.bridge import processes
from minikernel.transport import sock_diag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LISTENS = b"0A"  # TCP_LISTEN, net/tcp_states.h
ACCEPTS = 0x10000  # __SO_ACCEPTCON, in the flags of /proc/net/unix
SOCKET = "socket:["


class Port(NamedTuple):
    """A TCP port on which a process waits for connections.

    Args:
        address: numeric, of IPv4 or IPv6; "0.0.0.0" and "::" are all of this machine.
        port: its number.
    """

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self[0]}:{self[1]}"


class Listening(NamedTuple):
    """On what a kernel and all that it has started wait for connections.

    Args:
        ports: of TCP, in order; whoever is on this machine can connect to them.
        sockets: paths of Unix sockets, in order; one that begins with "@" has no file, and whoever
            is on this machine can connect to it.
        unseen: pids of those that could not be looked at: another user's, for the most part.
    """

    ports: tuple[Port, ...]
    sockets: tuple[str, ...]
    unseen: tuple[int, ...]


def look(reaper: int) -> Listening | None:
    """Look at all descendants of a reaper; None: this system doesn't show them.

    Takes a millisecond or two; where ports are to be read from /proc, some more.

    Args:
        reaper: pid of the kernel's parent, which is not looked at itself.
    """
    if not os.path.exists(f"{processes.PROC}/self/net/tcp"):
        return None
    return _look_at(sorted(processes.family(reaper, processes.listed())))


def _look_at(pids: Iterable[int]) -> Listening:
    spaces: dict[str, tuple[list[int], set[bytes]]] = {}  # by network namespace: pids, sockets
    unseen: list[int] = []
    for pid in pids:
        try:
            space = os.readlink(f"{processes.PROC}/{pid}/ns/net")
            inodes = set(_sockets_of(pid))
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        except OSError:
            unseen.append(pid)
            continue
        known = spaces.setdefault(space, ([], set()))
        known[0].append(pid)
        known[1].update(inodes)
    ports: set[Port] = set()
    paths: set[str] = set()
    for space, (members, inodes) in spaces.items():
        tables = next((found for pid in members if (found := _tables(pid, space))), None)
        if tables is None:
            unseen += [pid for pid in members if os.path.exists(f"{processes.PROC}/{pid}")]
        else:
            ports.update(port for port, inode in tables[0] if inode in inodes)
            paths.update(_paths(tables[1], inodes))
    return Listening(tuple(sorted(ports)), tuple(sorted(paths)), tuple(sorted(unseen)))


def _sockets_of(pid: int) -> Iterator[bytes]:
    """The inode numbers of the sockets that a process has open, as the tables write them."""
    folder = f"{processes.PROC}/{pid}/fd"
    for name in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except FileNotFoundError:  # closed since
            continue
        if target.startswith(SOCKET):
            yield target[len(SOCKET) : -1].encode()


def _tables(pid: int, space: str) -> tuple[list[tuple[Port, bytes]], list[bytes]] | None:
    """TCP ports with their inodes, and lines about Unix sockets; None: the process has ended."""
    tcp = _told(space)
    if tcp is None:
        tcp = _read(pid)
    # The last, which shows that the process was still there.
    unix = processes.content(f"{processes.PROC}/{pid}/net/unix")
    return None if tcp is None or not unix else (tcp, _lines(unix))


def _told(space: str) -> list[tuple[Port, bytes]] | None:
    """In a tenth of a millisecond; None: the namespace is not ours, or nobody tells."""
    try:
        if os.readlink(f"{processes.PROC}/self/ns/net") != space:
            return None
        found = sock_diag.listeners()
    except OSError:
        return None
    return [(Port(each.address, each.port), str(each.inode).encode()) for each in found]


def _read(pid: int) -> list[tuple[Port, bytes]] | None:
    """From /proc, which takes some milliseconds."""
    tcp = processes.content(f"{processes.PROC}/{pid}/net/tcp")
    tcp6 = processes.content(f"{processes.PROC}/{pid}/net/tcp6") or b""  # there may be no IPv6
    if not tcp:
        return None
    return [port for table in (tcp, tcp6) for port in _ports(_lines(table))]


def _lines(table: bytes) -> list[bytes]:
    return table.split(b"\n")[1:]


def _ports(lines: Iterable[bytes]) -> Iterator[tuple[Port, bytes]]:
    for line in lines:
        # sl, local_address, rem_address, st, queues, tr and when, retrnsmt, uid, timeout, inode
        fields = line.split(None, 10)
        if len(fields) > 9 and fields[3] == LISTENS:  # noqa: PLR2004 - see above
            address, port = fields[1].split(b":")
            yield Port(_address(address), int(port, 16)), fields[9]


def _paths(lines: Iterable[bytes], inodes: set[bytes]) -> Iterator[str]:
    for line in lines:
        # Num, RefCount, Protocol, Flags, Type, St, Inode, and the path, if it has a name; in which
        # there may be line feeds, of anybody's making: not each line is what it seems.
        fields = line.split(None, 7)
        if len(fields) > 6 and fields[6] in inodes and _accepts(fields[3]):  # noqa: PLR2004 - see above
            yield os.fsdecode(b"".join(fields[7:]))


def _accepts(flags: bytes) -> bool:
    try:
        return bool(int(flags, 16) & ACCEPTS)
    except ValueError:
        return False


def _address(text: bytes) -> str:
    """The kernel writes an address as words of 32 bits, in the order of this machine's bytes."""
    packed = bytes.fromhex(text.decode())
    if sys.byteorder == "little":
        packed = b"".join(packed[i : i + 4][::-1] for i in range(0, len(packed), 4))
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6  # noqa: PLR2004 - bytes of IPv4
    return socket.inet_ntop(family, packed)
