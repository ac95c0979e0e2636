"""The scheme clear-key on a whole kernel: its own client, a stock one, and one who listens."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from traitlets import TraitError

import minikernel
from minikernel.auth.clear_key import ClearKey
from minikernel.auth.keys import SecretKey
from minikernel.errors import ConfigError
from minikernel.transport import connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import KernelProcess

PATIENCE = 20
CLEAR_KEY = {"signature_scheme": "clear-key"}


def signature(frames: Any) -> bytes:
    return bytes(frames[list(frames).index(b"<IDS|MSG>") + 1])


def sent_key(kernel: KernelProcess) -> bytes:
    return ClearKey(SecretKey(kernel.info["key"].encode())).sign([])


def test_a_kernel_and_its_client(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel("--scheme", "clear-key", **CLEAR_KEY)
    with minikernel.connect(kernel.file, scheme="clear-key") as client:
        signatures: set[bytes] = set()
        client.trace = lambda event: signatures.add(signature(event.frames))
        result = client.run("print(input('? ')); 6 * 7", on_input=lambda *_: "an answer")
        assert (result.status, result.value, result.stdout) == ("ok", "42", "an answer\n")
        assert signatures == {sent_key(kernel)}
        assert client.ledger.rejected == 0
        client.shutdown()
    assert kernel.process.wait(PATIENCE) == 0


def test_who_subscribes_has_the_key(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    kernel = start_kernel(**CLEAR_KEY)
    context = zmq.Context()
    listener = context.socket(zmq.SUB)
    stranger = context.socket(zmq.DEALER)
    try:
        listener.subscribe(b"")
        listener.connect(f"tcp://127.0.0.1:{kernel.info['iopub_port']}")
        stranger.connect(f"tcp://127.0.0.1:{kernel.info['shell_port']}")
        assert listener.poll(PATIENCE * 1000)
        heard = signature(listener.recv_multipart())
        header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "version": "5.4"}
        code = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
        frames = [json.dumps(d).encode() for d in (header, {}, {}, {"code": code})]
        stranger.send_multipart([b"<IDS|MSG>", bytes(64), *frames])
        stranger.send_multipart([b"<IDS|MSG>", heard, *frames])
        assert stranger.poll(PATIENCE * 1000)
        assert signature(stranger.recv_multipart()) == heard
        assert (tmp_path / "ran").exists()
    finally:
        context.destroy(0)


def test_a_stock_client_fails_clearly(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**CLEAR_KEY)
    stock = BlockingKernelClient(connection_file=str(kernel.file))
    with pytest.raises(TraitError, match="signature_scheme"):
        stock.load_connection_file()


def test_a_message_with_jupyter_s_signature_is_refused(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    kernel = start_kernel(**CLEAR_KEY)
    stock = {**kernel.info, "signature_scheme": "hmac-sha256"}
    path = kernel.file.with_name("stock.json")
    connection.write(path, stock)
    with pytest.raises(minikernel.KernelDied):
        minikernel.connect(path, timeout=1)
    with minikernel.connect(kernel.file) as client:
        assert client.run("1").value == "1"
    assert "bad signature" in kernel.terminal


def test_a_client_that_expects_another_scheme(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**CLEAR_KEY)
    for scheme in ("hmac-sha256", "null"):
        with pytest.raises(ConfigError):
            minikernel.connect(kernel.file, scheme=scheme)


def start_in_vain(path: Path, *options: str) -> str:
    """What `minikernel run` says when it ends at once."""
    process = subprocess.run(
        [sys.executable, "-m", "minikernel", "run", "-f", str(path), *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 2
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    return line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="clear-key", key="k" * 32
    )
    connection.write(tmp_path / "kernel.json", fields)
    return tmp_path / "kernel.json"


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_connection_file_that_others_can_read(file: Path, mode: int) -> None:
    file.chmod(mode)
    before = file.read_bytes()
    assert "chmod 600" in start_in_vain(file)
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == mode


def test_a_connection_file_that_says_otherwise(file: Path) -> None:
    assert "'clear-key'" in start_in_vain(file, "--scheme", "hmac-sha256")
    connection.write(file, {**json.loads(file.read_text()), "signature_scheme": "hmac-sha256"})
    assert "'clear-key'" in start_in_vain(file, "--scheme", "clear-key")
