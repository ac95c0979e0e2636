"""A disk that is full, which a limit on the size of files stands for: it needs no rights."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import KernelProcess, RawClient

    Start = Callable[..., KernelProcess]
    Connect = Callable[..., RawClient]

PATIENCE = 20
ROOM = 2048  # bytes that a file may have: more than the kernel's log in these tests
FILL = (
    "import resource\n"
    "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
    f"resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, hard))"
)
EMPTY = "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))"


def on_a_full_disk(
    *arguments: str, runtime: Path, room: int = 0
) -> subprocess.CompletedProcess[str]:
    """The command line, where no file can become longer than `room`, in bytes."""
    script = (
        "import resource, runpy, sys, tempfile; sys.argv[0] = 'minikernel';"
        "tempfile.gettempdir();"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1];"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, hard));"
        "runpy.run_module('minikernel', run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-B", "-c", script, *arguments],
        capture_output=True,
        cwd=runtime,
        env={**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)},
        text=True,
        timeout=60,
        check=False,
    )


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def new_file(directory: Path, scheme: str = "hmac-sha256", port: int = 0) -> Path:
    path = directory / "kernel.json"
    keys = {} if scheme == CHANNEL_HMAC else curve.new_pair()
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme=scheme, key="k" * 32
    )
    connection.write(path, {**fields, **keys, **dict.fromkeys(connection.PORTS.values(), port)})
    return path


def test_a_start_that_can_not_write_its_connection_file(tmp_path: Path) -> None:
    done = on_a_full_disk("run", "--history", "off", runtime=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minikernel: connection file")
    assert done.stderr.count("\n") == 1
    assert files(tmp_path) == {}


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_start_that_can_not_write_its_ports_back(tmp_path: Path, transport: str) -> None:
    path = new_file(tmp_path)
    fields = json.loads(path.read_text())
    if transport == "ipc":
        fields = {**fields, "transport": "ipc", "ip": str(tmp_path / "k")}
        connection.write(path, fields)
    before = files(tmp_path)
    done = on_a_full_disk("run", "-f", str(path), runtime=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minikernel: connection file")
    assert done.stderr.count("\n") == 1
    assert files(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["kernel.json"]


COMMANDS = {
    "invite": (
        "invite",
        "--name",
        "bob",
        "--rights",
        "observe",
        "--connection-file",
        "kernel.json",
    ),
    "admit": ("admit", "kernel.json", "bob.json", "--curve-clients", "clients"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_can_not_write_its_file(tmp_path: Path, name: str) -> None:
    new_file(tmp_path, CHANNEL_HMAC if name == "invite" else "hmac-sha256", port=1)
    (tmp_path / "clients").write_text("# nobody yet\n")
    before = files(tmp_path)
    done = on_a_full_disk(*COMMANDS[name], runtime=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minikernel: connection file")
    assert done.stderr.count("\n") == 1
    assert files(tmp_path) == before


def test_a_script_whose_output_is_full_ends_as_it_does_with_python(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print(1)")
    before = files(tmp_path)
    python = output_on_a_full_disk("script.py", directory=tmp_path)
    assert python[0] != 0
    assert "File too large" in python[1]
    ours = output_on_a_full_disk("-m", "minikernel", "exec", "script.py", directory=tmp_path)
    assert ours == python
    assert files(tmp_path) == before


def output_on_a_full_disk(*arguments: str, directory: Path) -> tuple[int, str, str]:
    """Exit code, standard error and output of a python whose output goes into a file."""

    def limit() -> None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))

    (directory / "sub").mkdir(exist_ok=True)
    with (directory / "sub" / "output").open("w+") as output:
        done = subprocess.run(
            [sys.executable, "-B", *arguments],
            stdout=output,
            stderr=subprocess.PIPE,
            cwd=directory,
            env={**os.environ, "JUPYTER_RUNTIME_DIR": str(directory)},
            preexec_fn=limit,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stderr, output.read()


def test_a_client_that_finds_no_room_on_the_list(tmp_path: Path) -> None:
    new_file(tmp_path, port=1)
    listed = tmp_path / "clients"
    listed.write_text("# nobody yet\n" * 1000)
    before = files(tmp_path)
    done = on_a_full_disk(*COMMANDS["admit"], runtime=tmp_path, room=len(before["clients"]) + 9)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minikernel: list of clients")
    assert files(tmp_path) == before


@pytest.mark.slow
def test_a_notebook_that_can_not_be_written_back_is_left_as_it_was(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat.v4")
    book = nbformat.new_notebook(cells=[nbformat.new_code_cell("'x' * 9000")])
    (tmp_path / "book.ipynb").write_text(nbformat.writes(book))
    before = files(tmp_path)
    done = on_a_full_disk("exec", "book.ipynb", runtime=tmp_path, room=6000)
    assert (done.returncode, done.stdout) == (2, "")
    assert "book.ipynb': File too large" in done.stderr.splitlines()[-1]
    assert {k: v for k, v in files(tmp_path).items() if not k.endswith(".ring")} == before


def test_the_history_is_kept_in_memory_and_written_later(
    start_kernel: Start, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite"
    kernel = start_kernel("--history", str(file))
    client = connect(kernel)
    client.execute(FILL)
    wait_for(lambda: "the history is kept in RAM only" in kernel.terminal)
    cells = [f"'cell {number}'" for number in range(100)]
    for cell in cells:
        assert client.execute(cell)[0]["status"] == "ok"
    tail = client.request(client.shell, "history_request", hist_access_type="tail", n=100)
    assert [source for _, _, source in tail["history"]] == cells
    client.execute(EMPTY)
    wait_for(lambda: "the history is written again" in kernel.terminal)
    client.execute("'after'")
    client.request(client.control, "shutdown_request")
    kernel.process.wait(PATIENCE)
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT session, source FROM history ORDER BY line").fetchall()
    assert rows == [(1, cell) for cell in (FILL, *cells, EMPTY, "'after'")]
    assert kernel.terminal.count("history") == 2


def test_replays_are_refused_though_the_ring_file_could_not_grow(
    start_kernel: Start, connect: Connect
) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(FILL)
    msg_id, frames = client.message("execute_request", {"code": "open('ran', 'a').write('x')"})
    client.shell.send_multipart(frames)
    client.outputs(msg_id)
    for number in range(ROOM // 16):
        assert client.text(f"print({number})") == f"{number}\n"
    client.shell.send_multipart(frames)
    client.execute("1")
    assert client.rejected("shell") == {"replayed": 1}
    assert (kernel.file.parent / "ran").read_text() == "x"
    assert kernel.terminal.count("the replay memory is kept in RAM only") == 1
    assert len(kernel.terminal.splitlines()) == 1
    client.execute(EMPTY)
    wait_for(lambda: "the replay memory is in its file again" in kernel.terminal)
    late_id, late = client.message("execute_request", {"code": "open('ran', 'a').write('x')"})
    client.shell.send_multipart(late)
    client.outputs(late_id)
    kernel.kill()
    kernel.start()
    again = connect(kernel)
    for recorded in (frames, late):
        again.shell.send_multipart(recorded)
    again.execute("1")
    assert again.rejected("shell") == {"replayed": 2}
    assert (kernel.file.parent / "ran").read_text() == "xx"


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
