"""`minikernel admit`, with a kernel that was run by hand."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20


@pytest.fixture
def kernel(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The path that `run` prints."""
    options = ["--history", "off", "--encryption", "required", "--curve-clients", "clients.txt"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minikernel", "run", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().rstrip("\n")
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest) == (0, "")


def test_a_client_is_admitted(kernel: str, call: Callable[..., Any], tmp_path: Path) -> None:
    said = call("admit", kernel, "alice.json", "--curve-clients", "clients.txt")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "alice.json",
        "a client with this file may connect: its key is on clients.txt",
    ]
    alice = tmp_path / "alice.json"
    fields = json.loads(alice.read_text())
    assert stat.S_IMODE(alice.stat().st_mode) == 0o600
    assert json.loads(Path(kernel).read_text())["curve_secretkey"] not in alice.read_text()
    assert (tmp_path / "clients.txt").read_text() == f"{fields['curve_client_publickey']} alice\n"
    with minikernel.connect(alice, encryption="required") as client:
        assert client.run("6 * 7").value == "42"
    again = call("admit", kernel, "alice.json", "--curve-clients", "clients.txt")
    assert again.code == 2
    assert "is there already" in again.err
    assert json.loads(alice.read_text()) == fields


def test_what_can_not_be_finished_is_not_begun(
    kernel: str, call: Callable[..., Any], tmp_path: Path
) -> None:
    dangling = tmp_path / "alice.json"
    dangling.symlink_to("nowhere")
    assert "is there already" in call("admit", kernel, "alice.json").err
    assert dangling.is_symlink()
    said = call("admit", kernel, "bob.json", "--curve-clients", "no/such/list")
    assert said.code == 2
    assert not (tmp_path / "bob.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "listed", [pytest.param([], marks=pytest.mark.slow), ["--curve-clients", "another.txt"]]
)
def test_a_file_that_can_not_connect_is_not_made(
    kernel: str, call: Callable[..., Any], tmp_path: Path, listed: list[str]
) -> None:
    said = call("admit", kernel, "alice.json", *listed)
    assert (said.code, said.out) == (2, "")
    assert "no kernel answers a client with 'alice.json'" in said.err
    assert "--curve-clients" in said.err
    assert not (tmp_path / "alice.json").exists()
    assert not listed or (tmp_path / "another.txt").read_text() == ""


def test_files_of_which_no_client_can_be_made(call: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "kernel.json"
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="k" * 32
    )
    ports = dict.fromkeys(connection.PORTS.values(), 9)
    for changes, complaint in (
        (ports, "start the kernel with --encryption required"),
        (curve.new_pair(), "no ports yet"),
        ({**ports, **curve.client_fields(curve.new_pair())[0]}, "the file of a client"),
    ):
        connection.write(path, {**fields, **changes})
        said = call("admit", "kernel.json", "new.json")
        assert said.code == 2
        assert complaint in said.err
        assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "new.json").exists()
