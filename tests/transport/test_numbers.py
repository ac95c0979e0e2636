"""The numbers of peers without a name begin elsewhere in each kernel; the user's rand() does not.

Each case is a fresh interpreter: the C library's generator belongs to the process.
"""

from __future__ import annotations

import subprocess
import sys

FIRST = """
import zmq
from minikernel.transport import connection
from minikernel.transport.sockets import Inbox, KernelSockets
from minikernel.wire.channels import Channel
info = connection.ConnectionInfo(**dict.fromkeys(connection.PORTS.values(), 0))
sockets = KernelSockets(info)
context = zmq.Context()
peer = context.socket(zmq.DEALER)
for channel in (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.HEARTBEAT):
    peer.connect(info.url(channel))
    peer.send(b"here I am")
    socket = getattr(sockets, {Channel.HEARTBEAT: "heartbeat"}.get(channel, channel.value))
    print(Inbox(socket).wait()[0].hex())
    peer.disconnect(info.url(channel))
context.destroy(0)  # done before the kernel's end goes: a peer that connects again draws a number
sockets.abandon()
"""
RAND = "import ctypes; libc = ctypes.CDLL(None); print(*(libc.rand() for _ in range(5)))"


def output(source: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_the_first_numbers_of_two_kernels_differ() -> None:
    first, second = output(FIRST), output(FIRST)
    assert len(first) == len(set(first)) == 4
    assert not set(first) & set(second)


def test_the_user_s_code_finds_the_generator_fresh() -> None:
    assert output(FIRST + RAND)[4:] == output(RAND)


def test_ctypes_is_not_imported_for_it() -> None:
    *_, last = output(FIRST + "import sys\nprint('ctypes' in sys.modules)")
    assert last == "False"
