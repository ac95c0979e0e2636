"""When a signal comes through to the main thread, in processes of their own."""

from __future__ import annotations

import pytest

from tests.programs import said_by

BEFORE = """
import os, signal, threading
from minikernel.kernel import signals
from minikernel.kernel.interrupts import Gate, Stop
from minikernel.kernel.request import Requests

said = []
requests = Requests()
iopub = threading.RLock()
reading, writing = os.pipe()
os.set_blocking(writing, False)
gate = Gate(iopub, requests)
busy = False
gate.close_while(lambda: busy)
gate.open(writing, lambda: said.append("interrupted"), lambda reason: said.append(reason))
signals.release()
def send(number):
    signal.raise_signal(number)
"""


def run(code: str) -> str:
    return said_by(BEFORE, code)


def test_an_interrupt_comes_through() -> None:
    assert run("send(signal.SIGINT); print(said)") == "['interrupted']\n"


@pytest.mark.parametrize("closed", ["iopub.acquire()", "busy = True"])
def test_an_interrupt_waits_until_the_gate_is_open(closed: str) -> None:
    code = f"""
        {closed}
        send(signal.SIGINT)
        print(said)
        gate.resume()
        gate.resume()
        print(said)
        """
    assert run(code) == "[]\n['interrupted']\n"


def test_only_the_main_thread_resumes() -> None:
    code = """
        busy = True
        send(signal.SIGINT)
        other = threading.Thread(target=gate.resume)
        other.start()
        other.join()
        print(said)
        """
    assert run(code) == "[]\n"


def test_an_ending_raises_once() -> None:
    code = """
        try:
            send(signal.SIGTERM)
        except Stop:
            send(signal.SIGTERM)  # what the cell does in `finally` has its time
            print(gate.stopping)
        """
    assert run(code) == "True\n"


def test_an_ending_that_found_the_gate_closed_comes_with_a_nudge() -> None:
    code = """
        busy = True
        send(signal.SIGTERM)
        busy = False
        try:
            send(signals.NUDGE)
        except Stop:
            print("stopped")
        """
    assert run(code) == "stopped\n"


def test_a_nudge_alone_ends_nothing() -> None:
    assert run("send(signals.NUDGE); print(gate.stopping)") == "False\n"


def test_who_leaves_is_not_stopped() -> None:
    assert run("gate.leave(); send(signal.SIGTERM); print(gate.is_left, said)") == "True []\n"


def test_another_thread_gets_the_main_thread_out_of_a_call() -> None:
    code = """
        gate.stopping = True
        other = threading.Thread(target=gate.caught, args=(b"",))
        try:
            other.start()
            os.read(reading, 1)
            threading.Event().wait()
        except Stop:
            gate.leave()
        other.join()
        print("out")
        """
    assert run(code) == "out\n"


def test_what_a_cell_did_to_signals_is_put_back() -> None:
    code = """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        gate.keep_signals()
        send(signal.SIGINT)
        print(said)
        """
    assert run(code) == "['interrupted']\n"
