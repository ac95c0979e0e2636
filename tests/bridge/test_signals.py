"""SIGINT, which a front end sends nevertheless, to whomever, as often as it likes."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bridge.protected import wait_until, write_kernelspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient

TIGHT = "while True: pass"
SLEEP = "import time; time.sleep(600)"
# A kernel that waits for a file before it begins.
GATED = """
import os, runpy, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
del sys.argv[1]
runpy.run_module("ipykernel_launcher", run_name="__main__")
"""


def begin(client: RawClient, code: str) -> str:
    """Run a cell as far as to its first output; its msg_id."""
    msg_id = client.send(client.shell, "execute_request", code=f"print('begun')\n{code}")
    while client.receive(client.iopub)["content"].get("text") != "begun\n":
        pass
    return msg_id


def interrupted(client: RawClient, msg_id: str) -> int:
    """How often a cell was, and whether the next one runs."""
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    wait_until(lambda: client.request(client.shell, "execute_request", code="1")["status"] == "ok")
    last = client.send(client.shell, "execute_request", code="2")
    assert client.reply(client.shell, last)["content"]["status"] == "ok"
    found = 0
    while (message := client.receive(client.iopub))["parent_header"].get("msg_id") != last:
        found += message["content"].get("ename") == "KeyboardInterrupt"
    return found


@pytest.mark.parametrize("code", [TIGHT, SLEEP])
def test_signals_to_the_bridge_are_one_wish(
    protect: Callable[..., Protected], connect: Callable[..., RawClient], code: str
) -> None:
    """As an editor does it that signals all descendants, and then the process."""
    protected = protect()
    client = connect(protected)
    msg_id = begin(client, code)
    for _ in range(3):
        os.killpg(protected.process.pid, signal.SIGINT)
        os.kill(protected.process.pid, signal.SIGINT)
    assert interrupted(client, msg_id) == 1


def test_a_message_and_a_signal_are_one_wish(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    protected = protect()
    client = connect(protected)
    msg_id = begin(client, SLEEP)
    os.kill(protected.process.pid, signal.SIGINT)
    assert client.request(client.control, "interrupt_request") == {"status": "ok"}
    os.kill(protected.process.pid, signal.SIGINT)
    assert interrupted(client, msg_id) == 1


def test_a_signal_before_the_kernel_is_there_harms_nothing(
    protect: Callable[..., Protected], connect: Callable[..., RawClient], tmp_path: Path
) -> None:
    """One that comes while the kernel starts ends nobody, and interrupts no cell of later."""
    gate = tmp_path / "gate"
    argv = [sys.executable, "-c", GATED, str(gate), "-f", "{connection_file}"]
    protected = protect(write_kernelspec(tmp_path / "spec", argv))
    os.kill(protected.process.pid, signal.SIGINT)
    os.killpg(protected.process.pid, signal.SIGINT)
    wait_until(protected.family)
    gate.touch()
    client = connect(protected)
    assert client.execute("1")[0]["status"] == "ok"
    assert protected.process.poll() is None
    assert protected.said == []


@pytest.mark.parametrize("said", ["signal", "shell", "control"])
def test_the_kernelspecs_own_way_is_taken(
    protect: Callable[..., Protected],
    connect: Callable[..., RawClient],
    tmp_path: Path,
    said: str,
) -> None:
    """A kernel that wants messages gets one, on control, whatever came, and no signal."""
    argv = [sys.executable, "-c", DEAF, "-f", "{connection_file}"]
    protected = protect(write_kernelspec(tmp_path / "spec", argv, interrupt_mode="message"))
    client = connect(protected)
    msg_id = begin(client, "import threading; threading.stop = threading.Event()\n" + WAIT)
    if said == "signal":
        os.kill(protected.process.pid, signal.SIGINT)
    else:
        assert client.request(getattr(client, said), "interrupt_request") == {
            "status": "of its own"
        }
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    assert client.text("print(signals)") == "[]\n"


WAIT = "while not threading.stop.wait(0.01): pass"
# Interrupted by a message alone; notes signals.
DEAF = """
import signal, threading
from ipykernel import ipkernel, kernelapp, kernelbase
class Kernel(ipkernel.IPythonKernel):
    async def interrupt_request(self, stream, ident, parent):
        threading.stop.set()
        content = {"status": "of its own"}
        self.session.send(stream, "interrupt_reply", content, parent, ident=ident)
kernelbase.default_int_handler = lambda *_: signals.append(1)
app = kernelapp.IPKernelApp.instance(kernel_class=Kernel)
app.initialize()
signals = app.shell.user_ns["signals"] = []
app.start()
"""
