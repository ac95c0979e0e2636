"""The clients that people use: jupyter_client, and its console in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from jupyter_client.manager import KernelManager, start_new_async_kernel, start_new_kernel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import AsyncKernelManager

KERNEL = "minikernel"
TIMEOUT = 20  # seconds for any one answer
SLEEP = "print('sleeping', flush=True)\nimport time\ntime.sleep(600)"

pytestmark = pytest.mark.usefixtures("jupyter")


# jupyter_client, blocking


@pytest.fixture(scope="module")
def blocking(
    jupyter: Path,
) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    terminal = jupyter / "blocking.txt"
    with terminal.open("w") as out:
        manager, client = start_new_kernel(TIMEOUT, KERNEL, stdout=out, stderr=out)
        try:
            yield manager, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
    assert terminal.read_text() == ""


class Seen:
    """What a cell put out, and what it asked."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def __call__(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    def of(self, msg_type: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.messages if m["msg_type"] == msg_type]

    @property
    def text(self) -> str:
        return "".join(content["text"] for content in self.of("stream"))


def run(client: BlockingKernelClient, code: str, **options: Any) -> tuple[dict[str, Any], Seen]:
    seen = Seen()
    reply = client.execute_interactive(code, timeout=TIMEOUT, output_hook=seen, **options)
    return reply["content"], seen


def test_blocking_execute(blocking: Any) -> None:
    _, client = blocking
    reply, seen = run(client, "print('out')\n6 * 7", user_expressions={"double": "2 * _"})
    assert reply["status"] == "ok"
    assert reply["user_expressions"]["double"]["data"] == {"text/plain": "84"}
    assert seen.text == "out\n"
    assert [content["data"] for content in seen.of("execute_result")] == [{"text/plain": "42"}]


def test_blocking_error(blocking: Any) -> None:
    _, client = blocking
    reply, seen = run(client, "1 / 0")
    assert (reply["status"], reply["ename"]) == ("error", "ZeroDivisionError")
    assert [content["ename"] for content in seen.of("error")] == ["ZeroDivisionError"]
    assert "1 / 0" in "\n".join(reply["traceback"])


def test_blocking_input(blocking: Any) -> None:
    _, client = blocking
    asked: list[dict[str, Any]] = []

    def answer(message: dict[str, Any]) -> None:
        asked.append(message["content"])
        client.input("Ada")

    code = "import getpass\nprint(input('Name: ') + getpass.getpass('Secret: '))"
    _, seen = run(client, code, stdin_hook=answer)
    assert seen.text == "AdaAda\n"
    assert asked == [
        {"prompt": "Name: ", "password": False},
        {"prompt": "Secret: ", "password": True},
    ]


def test_blocking_input_that_is_not_allowed(blocking: Any) -> None:
    _, client = blocking
    reply, _ = run(client, "input()", allow_stdin=False)
    assert reply["status"] == "error"


def test_blocking_requests(blocking: Any) -> None:
    _, client = blocking
    run(client, "from comm import create_comm\nc = create_comm(target_name='here')")
    ask = {"reply": True, "timeout": TIMEOUT}
    assert client.kernel_info(**ask)["content"]["language_info"]["name"] == "python"
    assert client.complete("'x'.isdec", **ask)["content"]["matches"] == ["isdecimal"]
    assert client.inspect("print", **ask)["content"]["found"]
    client.is_complete("for i in x:")
    assert client.get_shell_msg(timeout=TIMEOUT)["content"]["status"] == "incomplete"
    past = client.history(hist_access_type="tail", n=1, **ask)["content"]["history"]
    assert past[0][2].startswith("from comm")
    comms = client.comm_info(target_name="here", **ask)["content"]["comms"]
    assert list(comms.values()) == [{"target_name": "here"}]


def test_blocking_interrupt(blocking: Any) -> None:
    manager, client = blocking

    def interrupt(message: dict[str, Any]) -> None:
        if message["content"].get("text") == "sleeping\n":
            manager.interrupt_kernel()

    content = client.execute_interactive(SLEEP, timeout=TIMEOUT, output_hook=interrupt)["content"]
    assert content["ename"] == "KeyboardInterrupt"


def test_blocking_restart(blocking: Any) -> None:
    manager, client = blocking
    run(client, "before = 1")
    manager.restart_kernel()
    client.wait_for_ready(timeout=TIMEOUT)
    reply, _ = run(client, "before")
    assert (reply["ename"], reply["execution_count"]) == ("NameError", 1)


def test_a_second_client_of_the_same_kernel(blocking: Any) -> None:
    manager, _ = blocking
    second = manager.client()
    second.start_channels()
    try:
        second.wait_for_ready(timeout=TIMEOUT)
        assert run(second, "print('second')")[1].text == "second\n"
    finally:
        second.stop_channels()


def test_a_first_cell_that_comes_before_the_subscription(jupyter: Path) -> None:
    """Sent by jupyter_console as soon as shell answers; without its idle that hangs."""
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel(cwd=str(jupyter))
    client = manager.client()
    nothing = dict.fromkeys(("shell", "iopub", "stdin", "hb", "control"), False)
    try:
        client.start_channels(**{**nothing, "shell": True})
        client.kernel_info(reply=True, timeout=TIMEOUT)
        client.execute("print('heard')")
        client.start_channels(**{**nothing, "iopub": True})
        while (message := client.get_iopub_msg(timeout=TIMEOUT))["msg_type"] != "stream":
            pass
        assert message["content"]["text"] == "heard\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


# jupyter_client, asyncio


@contextlib.asynccontextmanager
async def asynchronous(
    terminal: Path,
) -> AsyncIterator[tuple[AsyncKernelManager, AsyncKernelClient]]:
    with terminal.open("w") as out:
        manager, client = await start_new_async_kernel(TIMEOUT, KERNEL, stdout=out, stderr=out)
        try:
            yield manager, client
        finally:
            client.stop_channels()
            await manager.shutdown_kernel()


def test_async(tmp_path: Path) -> None:
    terminal = tmp_path / "terminal.txt"
    asyncio.run(use_asynchronously(terminal))
    assert terminal.read_text() == ""


async def use_asynchronously(terminal: Path) -> None:
    async with asynchronous(terminal) as (manager, client):

        async def text(code: str, **options: Any) -> tuple[dict[str, Any], str]:
            seen = Seen()
            reply = await client.execute_interactive(
                code, timeout=TIMEOUT, output_hook=seen, **options
            )
            return reply["content"], seen.text

        ask = {"reply": True, "timeout": TIMEOUT}
        assert (await text("print(6 * 7)"))[1] == "42\n"
        code = "import asyncio\nprint(await asyncio.sleep(0, 'awaited'), input())"
        answer = (await text(code, stdin_hook=lambda _: client.input("answered")))[1]
        assert answer == "awaited answered\n"
        assert (await client.complete("prin", **ask))["content"]["matches"] == ["print"]
        assert (await client.inspect("print", **ask))["content"]["found"]
        past = await client.history(hist_access_type="tail", n=2, **ask)
        assert [entry[2] for entry in past["content"]["history"]] == ["print(6 * 7)", code]
        assert (await client.comm_info(**ask))["content"]["comms"] == {}

        msg_id = client.execute(SLEEP)
        while (await client.get_iopub_msg(timeout=TIMEOUT))["msg_type"] != "stream":
            pass
        await manager.interrupt_kernel()
        while (reply := await client.get_shell_msg(timeout=TIMEOUT))["parent_header"][
            "msg_id"
        ] != msg_id:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"

        await manager.restart_kernel()
        await client.wait_for_ready(timeout=TIMEOUT)
        assert (await text("code"))[0]["ename"] == "NameError"
        reply = await client.shutdown(**ask)
        assert reply["content"] == {"status": "ok", "restart": False}


# jupyter console in a terminal


@contextlib.contextmanager
def console(directory: Path, *options: str) -> Iterator[pexpect.spawn[str]]:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "jupyter", "console", "--kernel", KERNEL, *options],
        cwd=directory,
        env={**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"},
        timeout=TIMEOUT,
        encoding="utf-8",
        dimensions=(24, 120),
    )
    try:
        yield child
    finally:
        child.close(force=True)


def test_jupyter_console(tmp_path: Path) -> None:
    with console(tmp_path, "--ZMQTerminalInteractiveShell.simple_prompt=True") as child:
        child.expect_exact("In [1]: ")
        child.sendline("6 * 7")
        child.expect_exact("Out[1]: 42")
        child.expect_exact("In [2]: ")
        child.sendline("print('hello', input('Name: '))")
        child.expect_exact("\nName: ")
        child.sendline("Ada")
        child.expect_exact("\nhello Ada")
        child.expect_exact("In [3]: ")
        child.sendline("print('sleep' + 'ing', flush=True); import time; time.sleep(600)")
        child.expect_exact("sleeping")
        child.kill(signal.SIGINT)
        child.expect_exact("KeyboardInterrupt")
        child.expect_exact("In [4]: ")
        child.sendline("exit")
        child.expect_exact("Shutting down kernel")
        child.expect(pexpect.EOF)
        assert child.before.strip() == ""
    assert child.exitstatus == 0


def test_jupyter_console_completes(tmp_path: Path) -> None:
    with console(tmp_path) as child:
        child.expect_exact("In [")
        found = 1
        while found:  # the console waits 0.25 s for completions; importing jedi may take longer
            child.send("zi\t")
            child.expect_exact(["p", pexpect.TIMEOUT], timeout=1)
            child.send("\r")
            found = child.expect([r"Out\[\S*\]: \S*zip\r", "NameError"])  # colours are between
            child.expect_exact("In [")
        child.send("quit()\r")
        child.expect_exact("Shutting down kernel")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0
