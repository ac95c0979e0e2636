"""What fails in the kernel's own code costs one message: it is counted, logged, and answered.

A cell breaks the kernel's code from within, as a bug of ours would.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KernelProcess, RawClient

PATIENCE = 30
LINE = re.compile(
    r"minikernel: (shell|control|stdin): internal error, KeyError at \w+/\w+\.py:\d+; \d+ so far"
    r"( \(and \d+ lines left out\))?"
)
BREAK = """
def broken(*_args, **_options):
    raise KeyError("\\x1b[31m a text that nobody is to see")
import minikernel.kernel.{module}
minikernel.kernel.{module}.{name} = broken
"""
Start = Callable[..., KernelProcess]
Connect = Callable[..., RawClient]


def broken(start_kernel: Start, connect: Connect, place: str) -> tuple[KernelProcess, RawClient]:
    kernel = start_kernel()
    client = connect(kernel)
    module, _, name = place.partition(".")
    assert client.text(BREAK.format(module=module, name=name)) == ""
    return kernel, client


def row(channel: str, msg_type: str) -> str:
    """Where the table has the handler."""
    return f"handlers.HANDLERS[minikernel.kernel.handlers.Channel('{channel}'), '{msg_type}']"


def check(kernel: KernelProcess, client: RawClient, channel: str, at_least: int = 1) -> None:
    """It lives on, has counted what failed, and said it in lines that hold no text of it."""
    assert client.rejected(channel)["internal error"] >= at_least
    lines = kernel.terminal.splitlines()
    assert lines
    assert all(LINE.fullmatch(line) for line in lines), lines


def failed(client: RawClient, channel: str, msg_type: str, **content: Any) -> None:
    """A request that fails gets an error reply, and what it began is over."""
    socket = getattr(client, channel)
    msg_id = client.send(socket, msg_type, **content)
    reply = client.reply(socket, msg_id)["content"]
    assert (reply["status"], reply["ename"]) == ("error", "InternalError")
    assert reply["evalue"].startswith("KeyError at kernel/")
    client.outputs(msg_id)  # busy came before, and idle after


@pytest.mark.parametrize(
    ("place", "channel", "msg_type", "content"),
    [
        pytest.param(
            *(row("control", "auth_status_request"), "control", "auth_status_request", {}),
            marks=pytest.mark.slow,
        ),
        (row("shell", "kernel_info_request"), "shell", "kernel_info_request", {}),
        (row("shell", "execute_request"), "shell", "execute_request", {"code": "1"}),
        pytest.param(
            *(row("shell", "complete_request"), "shell", "complete_request", {"code": "1"}),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_request(
    start_kernel: Start,
    connect: Connect,
    *,
    place: str,
    channel: str,
    msg_type: str,
    content: dict[str, Any],
) -> None:
    kernel, client = broken(start_kernel, connect, place)
    for _ in range(3):
        failed(client, channel, msg_type, **content)
    assert kernel.process.poll() is None
    good = client.shell if channel == "control" else client.control
    if msg_type != "auth_status_request":  # by which it is checked
        assert client.request(good, "kernel_info_request")["status"] == "ok"
        check(kernel, client, channel, 3)


def test_a_comm_message(start_kernel: Start, connect: Connect) -> None:
    kernel, client = broken(start_kernel, connect, row("shell", "comm_open"))
    msg_id = client.send(client.shell, "comm_open", comm_id="1", target_name="t", data={})
    client.outputs(msg_id)
    assert client.text("print(1)") == "1\n"
    check(kernel, client, "shell")


def test_queued_cells_behind_one_that_failed(start_kernel: Start, connect: Connect) -> None:
    kernel, client = broken(start_kernel, connect, "handlers.aborted")
    sent = [client.send(client.shell, "execute_request", code="1/0") for _ in range(4)]
    replies = [client.reply(client.shell, msg_id)["content"] for msg_id in sent]
    assert {reply["status"] for reply in replies} == {"error"}
    assert client.text("print(1)") == "1\n"
    assert kernel.process.poll() is None


def test_a_message_on_stdin(start_kernel: Start, connect: Connect) -> None:
    kernel, client = broken(start_kernel, connect, "questions.Questions.heed")
    client.send(client.stdin, "input_reply", value="1")
    client.send(client.stdin, "input_reply", value="2")
    while client.rejected("stdin").get("internal error", 0) < 2:
        pass
    assert client.text("print(1)") == "1\n"
    check(kernel, client, "stdin", 2)


def test_what_is_done_once_a_second(start_kernel: Start, connect: Connect) -> None:
    kernel, client = broken(start_kernel, connect, "publisher.Publisher.renew")
    while client.rejected("control").get("internal error", 0) < 2:
        pass
    assert client.text("print(1)") == "1\n"
    check(kernel, client, "control", 2)


def test_nothing_can_be_published(start_kernel: Start, connect: Connect) -> None:
    """Busy, idle and the reply's own attendants fail, and the kernel still answers."""
    kernel = start_kernel()
    client = connect(kernel)
    cell = BREAK.format(module="publisher", name="Publisher._send")
    client.reply(client.shell, client.send(client.shell, "execute_request", code=cell))
    for socket in (client.shell, client.control) * 3:
        reply = client.request(socket, "kernel_info_request")
        assert (reply["status"], reply["ename"]) == ("error", "InternalError")
    assert kernel.process.poll() is None
    assert all(LINE.fullmatch(line) for line in kernel.terminal.splitlines()), kernel.terminal


def test_what_a_signal_handler_of_the_user_raises_between_cells(
    start_kernel: Start, connect: Connect
) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    cell = (
        "import signal\ndef late(*_): raise KeyError('late')\n"
        "signal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.3)"
    )
    assert client.text(cell) == ""
    while not client.rejected("shell").get("internal error", 0):
        pass
    assert client.text("print(1)") == "1\n"
    check(kernel, client, "shell")


@pytest.mark.parametrize(
    ("thread", "place"),
    [
        ("control", "zmq.Poller.poll"),
        pytest.param(
            *("streams", "minikernel.kernel.streams.Streams._tick"), marks=pytest.mark.slow
        ),
    ],
)
def test_a_thread_that_ends_all_the_same_takes_the_kernel_with_it(
    start_kernel: Start, connect: Connect, thread: str, place: str
) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    cell = (
        "import zmq, os, threading, minikernel.kernel.streams\n"
        "def broken(*_, **__): raise KeyError\n"
        f"{place} = broken\nos.write(1, b'x')\nthreading.Event().wait()"
    )
    client.send(client.shell, "execute_request", code=cell)
    assert kernel.process.wait(PATIENCE) == 1
    [line] = kernel.terminal.splitlines()
    assert f"the thread 'minikernel {thread}' has ended, and so the kernel: KeyError" in line


def test_a_kernel_that_ends_so_leaves_no_file(tmp_path: Path) -> None:
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "minikernel", "run", "--history", "off"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            assert process.stdout is not None
            file = Path(process.stdout.readline().strip())
            client = RawClient(json.loads(file.read_text()))
            cell = "import zmq\ndef broken(*_): raise KeyError\nzmq.Poller.poll = broken"
            client.send(client.shell, "execute_request", code=cell)
            assert process.wait(PATIENCE) == 1
            client.close()
        finally:
            process.kill()
    assert not file.exists()
