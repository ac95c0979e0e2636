"""TCP sockets, as the Linux kernel tells of them."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from minikernel.transport import sock_diag

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag is Linux's")


@on_linux
@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.3"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::ffff:127.0.0.1"),
    ],
)
def test_a_socket_that_listens(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as one:
        one.bind((address, 0))
        port = one.getsockname()[1]
        assert not [found for found in sock_diag.listeners() if found.port == port]
        one.listen()
        inode = os.fstat(one.fileno()).st_ino
        expected = (address, port, os.getuid(), inode)
        with socket.create_connection(one.getsockname()[:2]):
            assert [found for found in sock_diag.listeners() if found.port == port] == [expected]
    assert not [found for found in sock_diag.listeners() if found.port == port]


@on_linux
def test_more_than_one_answer_holds() -> None:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(500)]
    try:
        ports = {one.getsockname()[1] for one in held}
        assert ports <= {found.port for found in sock_diag.listeners()}
    finally:
        for one in held:
            one.close()


@on_linux
def test_an_error_is_one() -> None:
    with pytest.raises(OSError, match="No such file or directory"):  # no such family is known
        sock_diag._dump(socket.AF_APPLETALK)
