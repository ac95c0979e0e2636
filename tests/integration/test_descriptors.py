"""A kernel that has no descriptor left goes on, and recovers when there are some again."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import KernelProcess, RawClient

    Start = Callable[..., KernelProcess]
    Connect = Callable[..., RawClient]

PATIENCE = 20
LIMIT = 80
PORTS = ("shell", "control", "stdin", "iopub", "hb")
LOW = re.compile(r"minikernel: descriptors run low: \d+ of \d+ are free")
LOWER = (
    "import resource\n"
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
    f"resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, hard))"
)
TAKE_ALL = "import os\nheld = []\nwhile True: held.append(os.dup(0))"
GIVE_BACK = "for one in held: os.close(one)"


def take_all(client: RawClient, before: str = "") -> dict[str, Any]:
    assert client.execute(LOWER)[0]["status"] == "ok"
    reply, _ = client.execute(before + TAKE_ALL)
    assert (reply["status"], reply["ename"]) == ("error", "OSError")
    assert "Too many open files" in reply["evalue"]
    return reply


def test_the_first_cell_that_fails_does_so_for_want_of_descriptors(
    start_kernel: Start, connect: Connect
) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    take_all(client)
    for code in (
        "1/0",
        "import asyncio; await asyncio.sleep(0)",
        "open('x')",
        "%magic",
        "import x",
    ):
        assert client.execute(code)[0]["status"] == "error"
        assert client.text("print(6 * 7)") == "42\n"
        assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    big = "y" * 200_000
    assert client.text(f"print('y' * {len(big)})") == f"{big}\n"
    reply, _ = client.execute("", user_expressions={"big": f"'y' * {len(big)}"})
    assert big in reply["user_expressions"]["big"]["data"]["text/plain"]
    for kind in ("complete_request", "inspect_request"):
        client.reply(client.shell, client.send(client.shell, kind, code="held", cursor_pos=4))
    assert client.execute(GIVE_BACK)[0]["status"] == "ok"
    assert client.text("import asyncio; await asyncio.sleep(0); print('awaited')") == "awaited\n"
    reply = client.execute("1/0")[0]
    assert "ZeroDivisionError" in reply["traceback"][-1]
    assert "1/0" in "".join(reply["traceback"])
    assert connect(kernel).text("print(1)") == "1\n"
    said = kernel.terminal.splitlines()
    assert all(LOW.fullmatch(line) for line in said), said


def test_the_traceback_is_shown_once_the_kernel_has_failed_before(
    start_kernel: Start, connect: Connect
) -> None:
    client = connect(start_kernel())
    client.execute("1/0")
    assert "while True: held.append" in "".join(take_all(client)["traceback"])


def test_cells_go_on_without_a_loop_that_can_not_be_made(
    start_kernel: Start, connect: Connect
) -> None:
    client = connect(start_kernel())
    take_all(client, "globals()['async' 'io'] = __import__('async' 'io')\n")
    assert client.text("print(1)") == "1\n"
    reply, _ = client.execute("await asyncio.sleep(0)")
    assert reply["ename"] == "OSError"
    client.execute(GIVE_BACK)
    assert client.text("await asyncio.sleep(0); print(2)") == "2\n"


def test_the_history_is_written_when_there_are_descriptors_again(
    start_kernel: Start, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite"
    kernel = start_kernel("--history", str(file))
    client = connect(kernel)
    take_all(client)
    wait_for(lambda: "kept in RAM only" in kernel.terminal)
    client.execute("'meanwhile'")
    client.execute(GIVE_BACK)
    wait_for(lambda: "written again" in kernel.terminal)
    client.request(client.control, "shutdown_request")
    kernel.process.wait(PATIENCE)
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT source FROM history ORDER BY line").fetchall()
    assert [row for (row,) in rows] == [LOWER, TAKE_ALL, "'meanwhile'", GIVE_BACK]
    assert len(kernel.terminal.splitlines()) == 2


@contextlib.contextmanager
def crowd(kernel: KernelProcess) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for port in PORTS * (LIMIT // 4):
            address = ("127.0.0.1", kernel.info[f"{port}_port"])
            stack.enter_context(socket.create_connection(address, PATIENCE))
        yield


def test_strangers_who_take_all_descriptors(start_kernel: Start, connect: Connect) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(LOWER)
    _, frames = client.message("execute_request", {"code": "open('ran', 'a').write('x')"})
    with crowd(kernel):
        wait_for(lambda: client.execute("open('/')")[0].get("evalue", "").startswith("[Errno 24]"))
        for number in range(20):
            assert client.text(f"print({number})") == f"{number}\n"
            assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    assert connect(kernel).text("print('in')") == "in\n"
    client.shell.send_multipart(frames)
    client.shell.send_multipart(frames)
    client.execute("1")
    assert client.rejected("shell") == {"replayed": 1}
    assert "Too many open files" not in kernel.terminal


@pytest.mark.parametrize("limit", [8, 14, 20, 30])
def test_a_start_with_too_few_descriptors_is_one_line(tmp_path: Path, limit: int) -> None:
    script = (
        "import resource, runpy; hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, hard));"
        "runpy.run_module('minikernel', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "--history", "off"],
        capture_output=True,
        env={**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "minikernel: a kernel needs 40 descriptors: Too many open files\n"
    assert not list(tmp_path.iterdir())


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline


def test_the_ledger_says_how_many_are_free(start_kernel: Start, connect: Connect) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    told, deadline = None, time.monotonic() + PATIENCE
    while told is None and time.monotonic() < deadline:  # it is looked at once a second
        told = client.request(client.control, "auth_status_request")["free_descriptors"]
    limit, _ = resource.prlimit(kernel.process.pid, resource.RLIMIT_NOFILE)
    assert told is not None
    assert abs(limit - psutil.Process(kernel.process.pid).num_fds() - told) < 20
