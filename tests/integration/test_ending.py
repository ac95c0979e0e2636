"""What is still to be done when a kernel is told to end, and what it does not wait for."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30

LEFT_OPEN = {
    "a file": "f = open('left', 'w'); f.write('whole')",
    "a csv.writer": "import csv\nw = csv.writer(open('left', 'w'))\nw.writerow(['whole'])",
    "a file in a cycle": "class A: pass\n"
    "a = A(); a.a = a; a.f = open('left', 'w'); a.f.write('whole'); del a",
    "a file of a module": "import types, sys\nm = sys.modules['m'] = types.ModuleType('m')\n"
    "m.f = open('left', 'wb'); m.f.write(b'whole')",
    "gzip": "import gzip\nz = gzip.open('left.gz', 'wt'); z.write('whole')\n"
    "import atexit\natexit.register(lambda: None)",
    "a value of Out": "open('left', 'w')",
    "a failed cell": "def f():\n    g = open('left', 'w'); g.write('whole'); 1 / 0\nf()",
    "a finaliser": "class A:\n    def __del__(self): open('left', 'w').write('whole')\na = A()",
    "a thread": "import threading, time\n"
    "def work(): time.sleep(0.5); open('left', 'w').write('whole')\n"
    "threading.Thread(target=work).start()",
    "an executor": "import time\nfrom concurrent.futures import ThreadPoolExecutor\n"
    "def work(): time.sleep(0.2); open('left', 'a').write('whole'[len(open('left').read()):][:1])\n"
    "open('left', 'w').close(); pool = ThreadPoolExecutor(1)\nfor _ in range(5): pool.submit(work)",
    "a task": "import asyncio\nasync def work():\n    try: await asyncio.sleep(600)\n"
    "    finally:\n        await asyncio.sleep(0.1); open('left', 'w').write('whole')\n"
    "task = asyncio.create_task(work())\nawait asyncio.sleep(0)",
    "an exit handler": "import atexit\natexit.register(lambda: open('left', 'w').write('whole'))",
    "an exit handler that a thread waits for": "import atexit, threading\ne = threading.Event()\n"
    "def work(): e.wait(); open('left', 'w').write('whole')\n"
    "threading.Thread(target=work).start(); atexit.register(e.set)",
}


def content(folder: Path) -> str:
    import gzip

    if (folder / "left.gz").exists():
        return gzip.open(folder / "left.gz", "rt").read()
    return (folder / "left").read_text().strip()


@pytest.mark.parametrize("code", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_nothing_is_lost(start_kernel: Any, connect: Any, code: str) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(code)
    if code.endswith("open('left', 'w')"):
        client.execute("_.write('whole')")
    client.request(client.control, "shutdown_request")
    assert kernel.process.wait(PATIENCE) == 0
    assert content(kernel.file.parent) == "whole"
    assert kernel.terminal == ""


def test_sigterm_and_exit_are_no_different(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    connect(kernel).execute(LEFT_OPEN["a file"])
    kernel.process.terminate()
    assert kernel.process.wait(PATIENCE) == 0
    assert content(kernel.file.parent) == "whole"


def test_the_last_words_are_heard(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(
        "import atexit, io, sys, threading, time\n"
        "class A:\n    def __del__(self): print('finaliser')\na = A()\n"
        "def work(): time.sleep(0.1); print('thread')\nthreading.Thread(target=work).start()\n"
        "atexit.register(print, 'handler')\n"
        "slow = io.TextIOWrapper(sys.stdout.buffer); slow.write('buffer\\n')"
    )
    client.request(client.control, "shutdown_request")
    assert kernel.process.wait(PATIENCE) == 0
    said = ""
    while len(said.split()) < 4:
        said += client.receive(client.iopub)["content"].get("text", "")
    assert sorted(said.split()) == ["buffer", "finaliser", "handler", "thread"]


def test_threads_that_go_on_are_named_and_not_waited_for(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "e = threading.Event()\n"
        "threading.Thread(target=e.wait, name='the \\x1b[31mendless').start()\n"
        "ThreadPoolExecutor(1, 'pool').submit(e.wait)\n"
        "threading.Thread(target=e.wait, name='a daemon', daemon=True).start()"
    )
    client.execute(LEFT_OPEN["a file"])
    client.request(client.control, "shutdown_request")
    assert kernel.process.wait(PATIENCE) == 0
    assert content(kernel.file.parent) == "whole"
    (line,) = kernel.terminal.splitlines()
    assert line == r"minikernel: not waited for any longer: 'the \x1b[31mendless', 'pool_0'"


FINALLY = {
    "sleeps": "try:\n    begun(); time.sleep(600)\nfinally:\n    time.sleep(0.5); done()",
    "computes": "try:\n    begun()\n    for _ in iter(int, 1): pass\n"
    "finally:\n    time.sleep(0.5); done()",
    "awaits": "import asyncio\ntry:\n    begun(); await asyncio.sleep(600)\n"
    "finally:\n    time.sleep(0.5); done()",
    "awaits there": "import asyncio\ntry:\n    begun(); await asyncio.sleep(600)\n"
    "finally:\n    await asyncio.sleep(0.5); done()",
    "a context": "import contextlib\nwith contextlib.ExitStack() as stack:\n"
    "    stack.callback(done); stack.callback(time.sleep, 0.5)\n    begun(); time.sleep(600)",
}
BEGUN = """
import atexit, time
said = open('left', 'w')
def begun(): print('runs', flush=True)
def done(): said.write('whole')
"""


@pytest.mark.parametrize("how", ["message", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("code", FINALLY.values(), ids=FINALLY)
def test_the_finally_of_a_running_cell_has_its_time(
    start_kernel: Any, connect: Any, code: str, how: str
) -> None:
    if how == "SIGHUP" and "iter(" not in code:
        pytest.skip("SIGTERM shows it")
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(BEGUN)
    client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["content"].get("text") != "runs\n":
        pass
    if how == "message":
        client.request(client.control, "shutdown_request")
    else:
        kernel.process.send_signal(getattr(signal, how))
    assert kernel.process.wait(PATIENCE) == 0
    assert content(kernel.file.parent) == "whole"


SWALLOWED = "def swallow():\n    try: time.sleep(600)\n    except BaseException: pass\n"


def test_a_cell_that_swallows_the_end_is_told_again(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    code = f"import time\n{SWALLOWED}print('runs', flush=True)\nfor _ in range(5): swallow()"
    client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["content"].get("text") != "runs\n":
        pass
    client.request(client.control, "shutdown_request")
    assert kernel.process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "left",
    [
        "signal.signal(signal.SIGTERM, lambda *_: None)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
        "signal.signal(signal.SIGURG, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "signal.set_wakeup_fd(-1)",
        "import asyncio; asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)",
    ],
)
@pytest.mark.parametrize("how", ["message", "SIGTERM"])
def test_whatever_a_cell_did_to_signals_the_end_is_orderly(
    start_kernel: Any, connect: Any, left: str, how: str
) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(f"import signal\n{LEFT_OPEN['an exit handler']}\n{left};")
    if how == "message":
        client.request(client.control, "shutdown_request")
    else:
        kernel.process.terminate()
    assert kernel.process.wait(PATIENCE) == 0
    assert content(kernel.file.parent) == "whole"


def test_a_launcher_that_ignores_sigterm_costs_no_exit_handler(
    start_kernel: Any, connect: Any
) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        kernel = start_kernel()
    finally:
        signal.signal(signal.SIGTERM, before)
    client = connect(kernel)
    client.execute(LEFT_OPEN["an exit handler"])
    kernel.process.terminate()
    assert client.text("print('ignored')") == "ignored\n"
    client.send(client.shell, "execute_request", code="import time; time.sleep(600)")
    client.request(client.control, "shutdown_request")
    assert kernel.process.wait(PATIENCE) == 0
    assert content(kernel.file.parent) == "whole"
