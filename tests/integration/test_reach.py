"""What cells can reach of the kernel: its loop, its signals, its modules. It outlives all of it.

One kernel for all, as in a long session.
"""

from __future__ import annotations

import importlib.util
import signal
from typing import Any

import pytest

BEGUN = "print('begun', flush=True)\n"
ENDLESS = [
    "import time\ntime.sleep(600)",
    "import asyncio\nawait asyncio.sleep(600)",
    "import os\nread, write = os.pipe()\nos.read(read, 1)",
]


def interrupted(client: Any, kernel: Any, code: str, before: str = "", begun: str = BEGUN) -> str:
    """How a cell ends that is interrupted once it runs, and `before` is done."""
    msg_id = client.send(client.shell, "execute_request", code=before + begun + code)
    while client.receive(client.iopub)["header"]["msg_type"] != "stream":
        pass
    kernel.process.send_signal(signal.SIGINT)
    name = client.reply(client.shell, msg_id)["content"].get("ename", "ok")
    client.outputs(msg_id)
    return str(name)


CANCELLED = {
    "all tasks": "import asyncio\nfor t in asyncio.all_tasks(): t.cancel()",
    "all tasks, awaiting": "import asyncio\nfor t in asyncio.all_tasks(): t.cancel()\n"
    "await asyncio.sleep(0)",
    "the current task": "import asyncio\nasyncio.current_task().cancel()",
    "the current task, awaiting": "import asyncio\nasyncio.current_task().cancel()\n"
    "await asyncio.sleep(0)",
    "by another task": "import asyncio\nasync def cancel():\n"
    "    for t in asyncio.all_tasks(): t.cancel()\n"
    "asyncio.create_task(cancel())\nawait asyncio.sleep(600)",
    "by a callback": "import asyncio\nloop = asyncio.get_running_loop()\n"
    "loop.call_soon(asyncio.current_task().cancel)\n"
    "await asyncio.sleep(600)",
    "by a thread": "import asyncio, threading\nloop = asyncio.get_running_loop()\n"
    "task = asyncio.current_task()\n"
    "threading.Timer(0.01, loop.call_soon_threadsafe, [task.cancel]).start()\n"
    "await asyncio.sleep(600)",
}


@pytest.mark.parametrize("code", CANCELLED.values(), ids=CANCELLED)
def test_a_cell_that_cancels_itself_ends_alone(client: Any, code: str) -> None:
    assert client.execute(code)[0]["ename"] == "CancelledError"
    assert client.text("import asyncio; print(await asyncio.sleep(0, 'alive'))") == "alive\n"


ADD, REMOVE = "loop.add_signal_handler(usr1, print)", "loop.remove_signal_handler(usr1)"
LEFT_IN_ASYNCIO = [
    "import asyncio\nasyncio.get_running_loop().stop()",
    "import asyncio\nasyncio.get_running_loop().stop()\nawait asyncio.sleep(0.01)",
    "import asyncio\nasyncio.get_running_loop().close()",
    "import asyncio\nasyncio.run(asyncio.sleep(0))",
    "import asyncio\nasyncio.set_event_loop(None)",
    "import asyncio\nasyncio.set_event_loop(asyncio.new_event_loop())",
    "import asyncio\nasyncio.get_running_loop().set_debug(True)",
    "import asyncio\nasyncio.get_running_loop().set_exception_handler(lambda *_: 1 / 0)",
    "import asyncio\nasyncio.get_running_loop().set_task_factory(lambda *_, **__: None)",
    "import asyncio\nasyncio.get_running_loop().call_soon(lambda: 1 / 0)",
    "import asyncio, sys\nasyncio.get_running_loop().call_soon(sys.exit, 3)",
    "import asyncio\nasync def f(): raise KeyboardInterrupt\nasyncio.create_task(f())",
    "import asyncio, signal\nasyncio.get_running_loop().add_signal_handler(signal.SIGINT, print)",
    "import asyncio, signal\nasyncio.get_running_loop().remove_signal_handler(signal.SIGINT)",
    f"import asyncio\nloop, usr1 = asyncio.get_running_loop(), 10\n{ADD}; {REMOVE}",
]


@pytest.mark.parametrize("code", LEFT_IN_ASYNCIO)
def test_the_loop_serves_on(client: Any, kernel: Any, code: str) -> None:
    client.execute(code)
    assert interrupted(client, kernel, ENDLESS[1]) == "KeyboardInterrupt"
    assert client.text("print(await asyncio.sleep(0, 'alive'))") == "alive\n"
    client.execute(
        "loop = asyncio.get_running_loop()\nloop.set_debug(False)\nloop.set_task_factory(None)\n"
        "loop.set_exception_handler(None)"
    )


def test_a_cell_sees_its_own_task_and_the_user_s(client: Any) -> None:
    code = "import asyncio\nprint(asyncio.all_tasks() == {asyncio.current_task()})"
    assert client.text(code) == "True\n"
    code = "t = asyncio.create_task(asyncio.sleep(600))\nprint(len(asyncio.all_tasks()))"
    assert client.text(code) == "2\n"
    assert client.text("t.cancel()\nawait asyncio.sleep(0)\nprint(t.cancelled())") == "True\n"


def test_a_cell_that_waits_for_itself_can_be_interrupted(client: Any, kernel: Any) -> None:
    waits = "import asyncio\nasyncio.get_running_loop().call_soon(print, 'it waits')\n"
    code = "await asyncio.gather(*asyncio.all_tasks())"
    assert interrupted(client, kernel, code, begun=waits) == "KeyboardInterrupt"
    assert client.text("print('alive')") == "alive\n"


LIBRARIES = {
    "nest_asyncio": "import asyncio, nest_asyncio\nnest_asyncio.apply()\n"
    "print(asyncio.run(asyncio.sleep(0, 'ran')))",
    "anyio": "import anyio\nasync with anyio.create_task_group() as group:\n"
    "    group.start_soon(anyio.sleep, 0)\nprint('ran')",
    "trio": "import trio, warnings\nwarnings.simplefilter('ignore')\n"
    "async def main(): print('ran')\ntrio.run(main)",
    "uvloop": "import uvloop\nuvloop.install()\nprint(await __import__('asyncio').sleep(0, 'ran'))",
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_of_this_kind_work(start_kernel: Any, connect: Any, name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    kernel = start_kernel()
    client = connect(kernel)
    assert client.text(LIBRARIES[name]).endswith("ran\n")
    assert interrupted(client, kernel, ENDLESS[1]) == "KeyboardInterrupt"
    assert client.text("print('alive')") == "alive\n"


LEFT_IN_SIGNALS = [
    "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "signal.signal(signal.SIGINT, signal.SIG_DFL)",
    "signal.signal(signal.SIGINT, signal.default_int_handler)",
    "signal.signal(signal.SIGINT, lambda *_: None)",
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
    "signal.set_wakeup_fd(-1)",
    "signal.siginterrupt(signal.SIGINT, False)",
    "signal.signal(signal.SIGURG, signal.SIG_DFL)",
    "import faulthandler; faulthandler.register(signal.SIGINT)",
    "import ctypes; ctypes.CDLL(None).signal(2, ctypes.c_void_p(1))",
]


@pytest.mark.parametrize("code", LEFT_IN_SIGNALS)
def test_the_next_cell_can_be_interrupted(client: Any, kernel: Any, code: str) -> None:
    client.execute(f"import signal\n{code};")
    kernel.process.send_signal(signal.SIGINT)  # nothing, between cells
    assert client.text("print('alive')") == "alive\n"
    for endless in ENDLESS:
        assert interrupted(client, kernel, endless) == "KeyboardInterrupt"


def test_a_handler_of_a_cell_is_the_cell_s(client: Any, kernel: Any) -> None:
    before = (
        "import signal, time\nseen = []\nsignal.signal(signal.SIGINT, lambda *_: seen.append(1));\n"
    )
    assert interrupted(client, kernel, "while not seen: time.sleep(0.01)", before) == "ok"
    assert interrupted(client, kernel, ENDLESS[0]) == "KeyboardInterrupt"


def test_a_timer_that_raises_between_cells_ends_nothing(client: Any) -> None:
    code = (
        "import signal, time\nticks = []\n"
        "def tick(*_):\n    ticks.append(1); raise TimeoutError('tick')\n"
        "signal.signal(signal.SIGALRM, tick)\nsignal.setitimer(signal.ITIMER_REAL, 0.05, 0.05);"
    )
    client.execute(code)
    for _ in range(200):
        reply, outputs = client.execute("len(ticks)")
        if reply["status"] == "ok" and any(
            int(m["content"].get("data", {}).get("text/plain", "0")) > 20 for m in outputs
        ):
            break
    while client.execute("signal.setitimer(signal.ITIMER_REAL, 0)")[0]["status"] != "ok":
        pass
    assert client.text("print('alive')") == "alive\n"
