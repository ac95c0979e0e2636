"""What others on the machine can reach of a kernel is named, or the kernel refused."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minikernel.bridge.listening import Listening, Port
from minikernel.bridge.privacy import describe, without_debugger
from minikernel.errors import ContentError
from tests.bridge.protected import XEUS, wait_until, write_kernelspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient

OPEN = """
import socket, sys
port = socket.create_server(("127.0.0.1", 0))
sys.argv[1:] = [sys.argv[1], "-"]
import runpy
runpy.run_path({echo!r}, run_name="__main__")
"""


@pytest.fixture
def pretends(tmp_path: Path) -> Path:
    """A kernel on ipc that has a port besides."""
    echo = str(Path(__file__).with_name("echo_kernel.py"))
    argv = [sys.executable, "-c", OPEN.format(echo=echo), "{connection_file}"]
    return write_kernelspec(tmp_path / "spec", argv)


def test_an_open_port_is_named(
    protect: Callable[..., Protected], connect: Callable[..., RawClient], pretends: Path
) -> None:
    protected = protect(pretends)
    assert connect(protected).text("goes on") == "goes on"
    (line,) = protected.open_ports
    assert re.fullmatch(r"minikernel: open to users of \S+: the kernel's 127\.0\.0\.1:\d+", line)


def test_a_kernel_with_an_open_port_is_refused(
    protect: Callable[..., Protected], pretends: Path
) -> None:
    protected = protect(pretends, "--require-private")
    assert protected.wait() == 2
    (line,) = protected.open_ports
    assert line.endswith("; refused, as --require-private asks")
    wait_until(lambda: not protected.family())


def test_a_private_kernel_has_no_debugger_and_else_everything(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    protected = protect(XEUS, "--require-private")
    client = connect(protected)
    for socket in (client.shell, client.control):
        info = client.request(socket, "kernel_info_request")
        assert info["debugger"] is False
        assert "debugger" not in info["supported_features"]
    reply = client.request(client.control, "debug_request", type="request", command="initialize")
    assert (reply["status"], reply["ename"]) == ("error", "PermissionError")
    assert client.execute("1")[0]["status"] == "ok"
    assert protected.open_ports == []


def test_a_debuggers_port_is_named(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    protected = protect()
    client = connect(protected)
    before = len(protected.open_ports)  # ipykernel has one for the output of forked children
    arguments = {"clientID": "t", "adapterID": "", "linesStartAt1": True}
    reply = client.request(
        client.control,
        "debug_request",
        type="request",
        seq=1,
        command="initialize",
        arguments=arguments,
    )
    assert reply["success"]
    wait_until(lambda: len(protected.open_ports) > before)
    assert protected.open_ports[-1].count("127.0.0.1:") > before


def test_what_is_said() -> None:
    assert describe(Listening((), ("/tmp/a",), ())) is None
    assert describe(None) == "this system does not show whether others can reach the kernel"
    ports = (Port("::1", 5), Port("127.0.0.1", 6))
    assert str(describe(Listening(ports, ("@\x1b",), ()))).endswith(
        "the kernel's [::1]:5, 127.0.0.1:6, '@\\x1b'"
    )
    assert "process 7, 8 of the kernel" in str(describe(Listening((), (), (7, 8))))


def test_a_debugger_is_not_promised() -> None:
    said = b'{"debugger":true,"supported_features":["debugger","kernel subshells"],"a":1}'
    assert json.loads(without_debugger(said)) == {
        "debugger": False,
        "supported_features": ["kernel subshells"],
        "a": 1,
    }
    assert json.loads(without_debugger(b"{}")) == {"debugger": False}
    with pytest.raises(ContentError):
        without_debugger(b"[]")
