"""The clients that people use: libraries, commands, a console in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
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


# notebooks, by nbclient


def notebook(*cells: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {
                "name": KERNEL,
                "display_name": "Python (minikernel)",
                "language": "python",
            }
        },
    )


def executed(book: nbformat.NotebookNode, **options: Any) -> nbformat.NotebookNode:
    from nbclient import NotebookClient

    return NotebookClient(book, timeout=TIMEOUT, kernel_name=KERNEL, **options).execute()


def test_nbclient() -> None:
    book = executed(
        notebook(
            "import sys\nfor i in range(100): print(i)",
            "print('problem', file=sys.stderr)",
            "from IPython.display import display, HTML\nh = display(HTML('<b>1</b>'),"
            " display_id=True)\nh.update(HTML('<b>2</b>'))",
            "import matplotlib.pyplot as plt\nplt.plot([1, 2, 1]);",
            "6 * 7",
        )
    )
    numbers, problem, html, picture, value = [cell.outputs for cell in book.cells]
    assert [o.text for o in numbers] == ["".join(f"{i}\n" for i in range(100))]
    assert [(o.name, o.text) for o in problem] == [("stderr", "problem\n")]
    assert [o.data["text/html"] for o in html] == ["<b>2</b>"]
    assert [sorted(o.data) for o in picture] == [["image/png", "text/plain"]]
    assert [(o.output_type, o.data["text/plain"]) for o in value] == [("execute_result", "42")]
    assert [cell.execution_count for cell in book.cells] == [1, 2, 3, 4, 5]
    nbformat.validate(book)


def test_nbclient_stops_at_an_error() -> None:
    from nbclient.exceptions import CellExecutionError

    book = notebook("1 / 0", "print('not reached')")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(book)
    assert [len(cell.outputs) for cell in book.cells] == [1, 0]


def test_nbclient_and_a_cell_that_takes_too_long() -> None:
    from nbclient import NotebookClient

    book = notebook("while True: pass", "print('alive')")
    client = NotebookClient(book, timeout=1, kernel_name=KERNEL, interrupt_on_timeout=True)
    client.allow_errors = True
    client.execute()
    assert book.cells[0].outputs[0].ename == "KeyboardInterrupt"
    assert book.cells[1].outputs[0].text == "alive\n"


def test_ipywidgets() -> None:
    book = executed(
        notebook(
            "import ipywidgets\n"
            "slider = ipywidgets.IntSlider(value=3)\n"
            "seen = []\n"
            "slider.observe(lambda change: seen.append(change.new), 'value')\n"
            "slider",
            "slider.value = 8\nprint(seen)",
            "output = ipywidgets.Output()\n"
            "with output:\n"
            "    print('inside')\n"
            "    display(6 * 7)\n"
            "    1 / 0\n"
            "output",
            "print('outside')",
        )
    )
    view = "application/vnd.jupyter.widget-view+json"
    slider, change, output, outside = [cell.outputs for cell in book.cells]
    models = book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert models[slider[0].data[view]["model_id"]]["state"]["value"] == 8
    assert change[0].text == "[8]\n"
    assert len(output) == 1
    inside = models[output[0].data[view]["model_id"]]["state"]["outputs"]
    assert inside[0]["text"] == "inside\n"
    assert inside[1]["data"]["text/plain"] == "42"
    assert inside[2]["ename"] == "ZeroDivisionError"
    assert [o.text for o in outside] == ["outside\n"]


# commands


def call(directory: Path, *command: str, typed: str = "") -> str:
    """Run a command of this environment; what it, or the kernel, says on the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=directory,
        timeout=3 * TIMEOUT,
        check=False,
        text=True,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def save(directory: Path, *cells: str) -> Path:
    path = directory / "book.ipynb"
    nbformat.write(notebook(*cells), path)
    return path


def outputs(path: Path) -> list[str]:
    return [
        output.get("text") or output.data["text/plain"]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.outputs
    ]


def test_jupyter_execute(tmp_path: Path) -> None:
    path = save(tmp_path, "print('hello')", "6 * 7")
    said = call(tmp_path, "jupyter", "execute", "--inplace", path.name)
    assert all(line.startswith("[NbClientApp]") for line in said.splitlines()), said
    assert outputs(path) == ["hello\n", "42"]


def test_nbconvert(tmp_path: Path) -> None:
    save(tmp_path, "print('hello')", "6 * 7")
    options = ("--log-level=ERROR", "--execute", "--to", "notebook", "--output", "done")
    assert call(tmp_path, "jupyter", "nbconvert", *options, "book.ipynb") == ""
    assert outputs(tmp_path / "done.ipynb") == ["hello\n", "42"]


def test_papermill(tmp_path: Path) -> None:
    path = save(tmp_path, "name = 'nobody'", "print('hello', name)")
    book = nbformat.read(path, as_version=4)
    book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, path)
    options = ("--no-progress-bar", "--log-level", "ERROR", "-p", "name", "Ada")
    assert call(tmp_path, "papermill", *options, "book.ipynb", "done.ipynb") == ""
    assert outputs(tmp_path / "done.ipynb") == ["hello Ada\n"]


def test_jupyter_run(tmp_path: Path) -> None:
    code = "print('hello', 6 * 7)"
    assert call(tmp_path, "jupyter", "run", "--kernel", KERNEL, typed=code) == "hello 42\n"


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
        child.send("zi")
        for _ in range(20):  # the console waits 0.25 s; importing jedi may take longer
            child.send("\t")
            if child.expect_exact(["p", pexpect.TIMEOUT], timeout=1) == 0:
                break
        child.send("\r")
        child.expect_exact("<class 'zip'>")
        child.send("quit()\r")
        child.expect_exact("Shutting down kernel")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0
