"""Where a process that really listens can be reached."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.bridge import listening, processes
from minikernel.bridge.listening import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Listen = Callable[..., dict[str, Any]]

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a /proc")
# Listens on what it was told, a JSON object on its first line, says its ports, and does what it is
# told next: it is a child of a shell, as a kernel is a reaper's.
PROGRAM = """
import json, os, socket, sys
kept, ports = [], []
for family, address in json.loads(sys.argv[1]):
    kept.append(socket.socket(getattr(socket, family)))
    kept[-1].bind(address if family == "AF_UNIX" else (address, 0))
    kept[-1].listen()
    if family != "AF_UNIX":
        ports.append(kept[-1].getsockname()[1])
print(json.dumps(ports), flush=True)
for line in sys.stdin:
    kept.pop().close()
    print("closed", flush=True)
"""


class Listener:
    """Args: addresses: a family and an address each."""

    def __init__(self, *addresses: tuple[str, str], before: str = "") -> None:
        script = f'{before} "$@"; true'
        command = [sys.executable, "-c", PROGRAM, json.dumps(addresses)]
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.ports: list[int] = json.loads(self._said())

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close_one(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        assert self._said() == "closed\n"

    def look(self) -> listening.Listening:
        found = listening.look(self.process.pid)
        assert found is not None
        return found

    def end(self) -> None:
        self.process.communicate(timeout=20)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    started: list[Listener] = []

    def start(*addresses: tuple[str, str], **options: str) -> Listener:
        started.append(Listener(*addresses, **options))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture(params=["sock_diag", "/proc"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to know of ports."""
    if request.param == "/proc":
        monkeypatch.setattr(listening, "_told", lambda _: None)


@needs_proc
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("family", "address"),
    [
        ("AF_INET", "127.0.0.1"),
        ("AF_INET", "127.1.2.3"),
        ("AF_INET", "0.0.0.0"),
        ("AF_INET6", "::1"),
        ("AF_INET6", "::"),
        ("AF_INET6", "::ffff:127.0.0.1"),
    ],
)
def test_a_port(listen: Callable[..., Listener], family: str, address: str) -> None:
    one = listen((family, address))
    assert one.look() == ((Port(address, one.ports[0]),), (), ())
    one.close_one()
    assert one.look() == ((), (), ())


@needs_proc
def test_sockets_with_a_file_and_without(listen: Callable[..., Listener], tmp_path: Path) -> None:
    path = str(tmp_path / "a b\\é-1")
    one = listen(("AF_UNIX", path), ("AF_UNIX", f"\0{tmp_path}"))
    assert one.look() == ((), (path, f"@{tmp_path}"), ())


@needs_proc
@pytest.mark.parametrize("odd", ["\n", "\n1 2 3", "\n1: 2 3 xyz 5 6 {} /x", "a\nb"])
def test_no_name_of_a_strangers_socket_is_in_the_way(
    listen: Callable[..., Listener], tmp_path: Path, odd: str
) -> None:
    path = str(tmp_path / "mine")
    one = listen(("AF_UNIX", path))
    pids = processes.family(one.process.pid, processes.listed())
    inode = next(inode for pid in pids for inode in listening._sockets_of(pid)).decode()
    other = listen(("AF_UNIX", f"\0{tmp_path}{odd.format(inode)}"))
    assert path in one.look().sockets
    assert other.look().sockets == (f"@{tmp_path}{odd.partition(chr(10))[0]}",)


@needs_proc
@pytest.mark.usefixtures("way")
def test_what_is_anothers_is_not_named(listen: Callable[..., Listener]) -> None:
    one, other = listen(("AF_INET", "127.0.0.1")), listen(("AF_INET", "127.0.0.1"))
    with socket.create_server(("127.0.0.1", 0)):
        assert one.look().ports == (Port("127.0.0.1", one.ports[0]),)
        assert other.look().ports == (Port("127.0.0.1", other.ports[0]),)


@needs_proc
@pytest.mark.usefixtures("way")
def test_a_connection_is_not_a_port(listen: Callable[..., Listener]) -> None:
    one = listen(("AF_INET", "127.0.0.1"))
    with socket.create_connection(("127.0.0.1", one.ports[0])):
        assert one.look().ports == (Port("127.0.0.1", one.ports[0]),)


@needs_proc
def test_all_of_the_family_are_looked_at_in_order(listen: Callable[..., Listener]) -> None:
    one = listen(
        ("AF_INET", "127.0.0.2"), ("AF_INET", "127.0.0.1"), before="setsid sh -c '\"$@\"; :' sh"
    )
    assert [port.address for port in one.look().ports] == ["127.0.0.1", "127.0.0.2"]


@needs_proc
def test_a_network_namespace_of_its_own(listen: Callable[..., Listener]) -> None:
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    one = listen(("AF_INET", "0.0.0.0"), before="unshare -rn")
    assert one.look().ports == (Port("0.0.0.0", one.ports[0]),)


@needs_proc
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's process")
def test_who_cannot_be_looked_at_is_named(listen: Callable[..., Listener]) -> None:
    one = listen()
    program = (
        "import os, sys; from minikernel.bridge import listening; os.setuid(12345);"
        "print(*listening.look(int(sys.argv[1])).unseen)"
    )
    command = [sys.executable, "-c", program, str(one.process.pid)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    family = processes.family(one.process.pid, processes.listed())
    assert {int(pid) for pid in said.split()} == family != set()


def test_a_system_that_does_not_show_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    assert listening.look(os.getpid()) is None


@pytest.mark.parametrize(
    ("port", "said"), [(Port("127.0.0.1", 80), "127.0.0.1:80"), (Port("::1", 80), "[::1]:80")]
)
def test_how_a_port_is_written(port: Port, said: str) -> None:
    assert str(port) == said
