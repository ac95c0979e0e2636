"""`minikernel echo`: both ends, and with the cookbook's other end."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from minikernel.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = b"sixteen bytes or more"
PATIENCE = 20  # seconds


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MINIKERNEL_ECHO_KEY", raising=False)
    file = tmp_path / "echo.key"
    file.touch(mode=0o600)
    file.write_bytes(KEY + b"\n")
    return file


@pytest.fixture
def serve(key_file: Path) -> Iterator[Callable[..., int]]:
    """Starts a server; returns its port."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> int:
        command = [sys.executable, "-m", "minikernel", "echo", "serve", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--key-file", str(key_file), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return int(process.stdout.readline().split()[-1])

    yield start
    for process in started:
        process.kill()
        process.communicate()


def send(port: int, key_file: Path, *options: str) -> int:
    return main(["echo", "send", "--port", str(port), "--key-file", str(key_file), *options])


def open_connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def authenticate(connection: socket.socket, key: bytes = KEY) -> None:
    """As the cookbook's client does."""
    nonce = connection.recv(32, socket.MSG_WAITALL)
    connection.sendall(hmac.new(key, nonce, hashlib.sha256).digest())


def test_a_text_comes_back(
    serve: Callable[..., int], key_file: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert send(serve(), key_file, "--text", "Grüße") == 0
    assert capfdbinary.readouterr() == ("Grüße".encode(), b"")


def test_stdin_comes_back(
    serve: Callable[..., int],
    key_file: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = os.urandom(1 << 20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert send(serve(), key_file) == 0
    assert capfdbinary.readouterr().out == data


def test_the_key_from_the_environment(
    serve: Callable[..., int],
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINIKERNEL_ECHO_KEY", KEY.decode())
    assert main(["echo", "send", "--port", str(serve()), "--text", "x"]) == 0
    assert capfdbinary.readouterr().out == b"x"


def test_another_key_is_refused_and_the_server_goes_on(
    serve: Callable[..., int], key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = serve()
    key_file.write_bytes(b"another key, as long")
    assert send(port, key_file, "--text", "x") == 1
    assert capsys.readouterr().out == ""
    with open_connection(port) as connection:
        authenticate(connection)
        connection.sendall(b"x")
        assert connection.recv(10) == b"x"


def test_nothing_is_echoed_before_the_answer(serve: Callable[..., int]) -> None:
    with open_connection(serve()) as connection:
        connection.recv(32, socket.MSG_WAITALL)
        connection.sendall(b"x" * 32)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b""


def test_the_cookbook_s_server(key_file: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def echo_once(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            nonce = os.urandom(32)
            connection.sendall(nonce)
            answer = connection.recv(32, socket.MSG_WAITALL)
            if hmac.compare_digest(hmac.new(KEY, nonce, hashlib.sha256).digest(), answer):
                connection.sendall(connection.recv(8192))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        thread = threading.Thread(target=echo_once, args=(server,))
        thread.start()
        assert send(server.getsockname()[1], key_file, "--text", "Hello World") == 0
        thread.join()
    assert capfdbinary.readouterr().out == b"Hello World"


def test_a_server_that_echoes_something_else(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(bytes(32))  # whoever listens: the client checks nothing
            connection.recv(32, socket.MSG_WAITALL)
            connection.sendall(connection.recv(8192).upper())

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        assert send(server.getsockname()[1], key_file, "--text", "Hello") == 1
        thread.join()
    assert capsys.readouterr().err == "minikernel echo: what came back is not what was sent\n"


def test_connections_are_limited(
    serve: Callable[..., int], key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = serve("--connections", "1")
    with open_connection(port) as first:
        authenticate(first)
        first.sendall(b"x")
        assert first.recv(10) == b"x"
        assert send(port, key_file, "--text", "x") == 1
        assert "too many connections" in capsys.readouterr().err
        first.sendall(b"y")
        assert first.recv(10) == b"y"


def test_a_silent_stranger_is_closed(serve: Callable[..., int]) -> None:
    with open_connection(serve("--timeout", "0.2")) as connection:
        assert len(connection.recv(32, socket.MSG_WAITALL)) == 32
        assert connection.recv(1) == b""


def test_an_idle_client_is_closed(serve: Callable[..., int]) -> None:
    with open_connection(serve("--idle", "0.2")) as connection:
        authenticate(connection)
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["serve", "--text", "x"], "no --text"),
        (["send", "--text", ""], "1 to 1048576 bytes"),
        (["send", "--text", "x" * ((1 << 20) + 1)], "1 to 1048576 bytes"),
        (["serve", "--host", "192.0.2.1"], "can't listen on 192.0.2.1"),
        (["send", "--host", "a" * 70], "no host has the name"),
    ],
)
def test_what_is_refused(
    options: list[str], complaint: str, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["echo", *options, "--key-file", str(key_file)]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_use(
    mode: int, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key_file.chmod(mode)
    assert main(["echo", "send", "--text", "x", "--key-file", str(key_file)]) == 2
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "complaint"), [(b"peekaboo", "8 bytes"), (b"x" * 5000, "more than 4096"), (b"", "0 b")]
)
def test_a_key_that_is_no_good(
    key: bytes, complaint: str, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key_file.write_bytes(key)
    assert main(["echo", "send", "--text", "x", "--key-file", str(key_file)]) == 2
    assert complaint in capsys.readouterr().err


def test_a_key_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["echo", "send", "--text", "x"]) == 2
    assert "MINIKERNEL_ECHO_KEY" in capsys.readouterr().err
    assert main(["echo", "send", "--text", "x", "--key-file", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_nobody_listens(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert send(port, key_file, "--text", "x") == 1
    assert capsys.readouterr().err == f"minikernel echo: 127.0.0.1:{port}: Connection refused\n"
