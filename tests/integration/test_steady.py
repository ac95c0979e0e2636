"""What could hold the kernel, and does not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
import zmq


def test_a_flood_of_subscriptions_keeps_nobody_from_a_cell(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    flooder = client.connect(zmq.XSUB, "iopub")
    for _ in range(100_000):
        flooder.send(b"\x01zz")
    for _ in range(20):
        assert client.execute("1")[0]["status"] == "ok"
    client.rejected("shell")
    flooder.close(0)


def test_a_terminal_that_nobody_reads_does_not_hold_the_kernel(
    start_kernel: Any, connect: Any
) -> None:
    kernel = start_kernel()
    kernel.kill()
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    command = [sys.executable, "-m", "minikernel", "run", "-f", str(kernel.file)]
    process = subprocess.Popen([*command, "--history", "off"], stderr=write)
    try:
        client = connect(kernel)
        for channel in (client.shell, client.control):
            channel.send_multipart([b"<IDS|MSG>", b"forged", b"{}", b"{}", b"{}", b"{}"])
        assert client.text("print('alive')") == "alive\n"
        assert client.rejected("control") == {"bad signature": 1}
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)


def test_a_display_that_never_ends_can_be_interrupted(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    code = (
        "def endless():\n    while True: yield 1\n"
        "print('begun', flush=True)\n"
        "display({'application/json': endless()}, raw=True)"
    )
    msg_id = client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["header"]["msg_type"] != "stream":
        pass
    assert client.request(client.control, "interrupt_request") == {"status": "ok"}
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "exit()"])
def test_a_comm_that_wants_to_exit_does_not_end_the_kernel(
    start_kernel: Any, connect: Any, code: str
) -> None:
    client = connect(start_kernel())
    client.execute(
        "import comm\n"
        f"def opened(channel, message):\n    {code}\n"
        "comm.get_comm_manager().register_target('t', opened)"
    )
    client.outputs(client.send(client.shell, "comm_open", comm_id="c", target_name="t", data={}))
    assert client.text("print('alive')") == "alive\n"


def test_a_task_that_exits_does_not_end_the_kernel(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel())
    code = (
        "import asyncio, sys\nasync def leave():\n    await asyncio.sleep(0)\n    sys.exit(5)\n"
        "task = asyncio.create_task(leave())"
    )
    client.execute(code)
    assert client.text("await asyncio.sleep(0.01); print('alive')") == "alive\n"


def test_an_exit_handler_that_hangs_ends_at_the_second_sigterm(
    start_kernel: Any, connect: Any
) -> None:
    kernel = start_kernel()
    connect(kernel).execute(
        "import atexit, time\n@atexit.register\ndef hang():\n"
        "    open('hangs', 'w').close()\n    time.sleep(600)"
    )
    kernel.process.terminate()
    while kernel.process.poll() is None:
        try:
            kernel.process.wait(0.5)
        except subprocess.TimeoutExpired:
            kernel.process.terminate()
    assert kernel.process.returncode == 1
    assert (kernel.file.parent / "hangs").exists()


def test_a_child_that_outlives_the_kernel_does_not_keep_the_replay_memory(
    start_kernel: Any, connect: Any, tmp_path: Any
) -> None:
    kernel = start_kernel(transport="ipc", ip=str(tmp_path / "k"))
    client = connect(kernel)
    code = (
        "import os, time\npid = os.fork()\n"
        "if pid == 0:\n    time.sleep(60); os._exit(0)\nprint(pid)"
    )
    child = int(client.text(code))
    try:
        client.request(client.control, "shutdown_request")
        assert kernel.process.wait(20) == 0
        kernel.start()
        assert connect(kernel).text("print('again')") == "again\n"
    finally:
        os.kill(child, signal.SIGKILL)


def test_two_threads_that_ask_get_their_own_answers(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel())
    code = (
        "import threading\nanswers = {}\n"
        "def ask(name): answers[name] = input(name)\n"
        "threads = [threading.Thread(target=ask, args=(n,)) for n in 'ab']\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()\n"
        "print(sorted(answers.items()))"
    )
    msg_id = client.send(client.shell, "execute_request", code=code)
    for _ in range(2):
        prompt = client.receive(client.stdin)["content"]["prompt"]
        client.send(client.stdin, "input_reply", value=prompt.upper())
    texts = [m["content"].get("text", "") for m in client.outputs(msg_id)]
    assert "[('a', 'A'), ('b', 'B')]\n" in texts


def test_an_interrupted_loop_loses_no_line(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel())
    code = "n = 0\nwhile True:\n    print(n)\n    n += 1"
    for _ in range(5):
        msg_id = client.send(client.shell, "execute_request", code=code)
        while client.receive(client.iopub)["header"]["msg_type"] != "stream":
            pass
        client.request(client.control, "interrupt_request")
        assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"
        outputs = client.outputs(msg_id)
        text = "".join(m["content"].get("text", "") for m in outputs if "text" in m["content"])
        lines = [line for line in text.split("\n") if line]
        if lines:  # of what came after the first message: no gap
            first = int(lines[0])
            assert [int(line) for line in lines[1:-1]] == list(
                range(first + 1, first + len(lines) - 1)
            )
