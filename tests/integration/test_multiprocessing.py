"""Our handshake with the real `multiprocessing.connection` of every Python that is found."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.challenge import MD5, SHA256, Dialect
from minikernel.auth.keys import SecretKey
from minikernel.errors import ChallengeError
from minikernel.tcp.stream import Stream, connect, introduce, welcome

if TYPE_CHECKING:
    from collections.abc import Iterator

PEER = Path(__file__).parents[1] / "vectors" / "multiprocessing_peer.py"
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
OLD = {"3.10", "3.11"}  # speak MD5 only
KEY, WRONG_KEY = SecretKey(b"a key that both hold"), SecretKey(b"not that key")
PATIENCE = 20  # seconds
DIALECTS = pytest.mark.parametrize("dialect", [SHA256, MD5], ids=lambda d: d.name)


@cache
def find(version: str) -> str | None:
    spec = importlib.util.spec_from_file_location(
        "record_multiprocessing", PEER.with_name("record_multiprocessing.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: str | None = module.find(version)
    return found


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    if find(version) is None:
        pytest.skip(f"there is no Python {version} on PATH or under pyenv")
    return version


def end(process: subprocess.Popen[str]) -> str:
    """What the real one has to say at its end."""
    said, _ = process.communicate(timeout=PATIENCE)
    return said.strip()


@contextlib.contextmanager
def running(version: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [find(version) or "", str(PEER), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PEER_KEY": KEY.reveal().decode()},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def real_listener(version: str) -> Iterator[tuple[subprocess.Popen[str], Stream]]:
    """The real Listener, and our connection to it."""
    with running(version, "listen") as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with closing(connect(("127.0.0.1", port), PATIENCE)) as stream:
            yield process, stream


@contextlib.contextmanager
def real_client(version: str) -> Iterator[tuple[subprocess.Popen[str], Stream]]:
    """The real Client, and its connection to us."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        with (
            running(version, "connect", str(server.getsockname()[1])) as process,
            closing(Stream(server.accept()[0], PATIENCE)) as stream,
        ):
            yield process, stream


def speaks(version: str, dialect: Dialect) -> bool:
    return dialect is MD5 or version not in OLD


@DIALECTS
def test_the_real_listener(version: str, dialect: Dialect) -> None:
    with real_listener(version) as (process, stream):
        if not speaks(version, dialect):
            with pytest.raises(ChallengeError, match="MD5"):
                introduce(stream, KEY, dialect)
            stream.close()
            assert end(process) in {"EOFError", "ConnectionResetError"}
            return
        introduce(stream, KEY, dialect)
        stream.send_message(b"from minikernel")
        assert stream.receive_message() == b"FROM MINIKERNEL"
        assert end(process) == "from minikernel"


@DIALECTS
def test_the_real_client(version: str, dialect: Dialect) -> None:
    with real_client(version) as (process, stream):
        if not speaks(version, dialect):
            with pytest.raises(ChallengeError, match="MD5"):
                welcome(stream, KEY, dialect)
            assert end(process) == "AuthenticationError"
            return
        welcome(stream, KEY, dialect)
        assert stream.receive_message() == b"hello"
        stream.send_message(b"from minikernel")
        assert end(process) == "from minikernel"


def test_the_real_listener_refuses_another_key(version: str) -> None:
    dialect = MD5 if version in OLD else SHA256
    with real_listener(version) as (process, stream):
        with pytest.raises(ChallengeError, match="another key"):
            introduce(stream, WRONG_KEY, dialect)
        assert end(process) == "AuthenticationError"


def test_we_refuse_a_real_client_with_another_key(version: str) -> None:
    dialect = MD5 if version in OLD else SHA256
    with real_client(version) as (process, stream):
        with pytest.raises(ChallengeError, match="another key"):
            welcome(stream, WRONG_KEY, dialect)
        assert end(process) == "AuthenticationError"


def test_this_python_is_found() -> None:
    assert find(f"{sys.version_info[0]}.{sys.version_info[1]}") == sys.executable
