"""A stranger floods a kernel of channel-hmac: a client keeps its answers, memory is bounded.

The stock scheme's floods are in test_hostile.py.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import minikernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import KernelProcess

SCHEME = "channel-hmac-sha256"
CONNECTION_FIELDS = {"signature_scheme": SCHEME}
pytestmark = pytest.mark.usefixtures("quiet")  # a line a second on the kernel's terminal at most
PATIENCE = 20
GROWTH = 30 << 20  # bytes
COUNT, SECONDS = "40000", "3"
SENDER = Path(__file__).parents[2] / "benchmarks" / "floods.py"
FLOODS = {
    "unknown sessions on shell": "shell",
    "unknown sessions on control": "control",
    "unknown sessions on stdin": "stdin",
    "bad signatures on control": "control",
    "wrong HELLOs": "control",
    "replayed HELLOs": "control",
    "two frames on shell": "shell",
    "two frames on control": "control",
    "wrong PINGs": "hb",
    "subscriptions of 1 kB": "iopub",
}


@pytest.fixture(scope="module")
def hellos() -> list[str]:
    """Those that the client sent, in hex."""
    return []


@pytest.fixture(scope="module")
def working(kernel: KernelProcess, hellos: list[str]) -> Iterator[minikernel.MiniKernelClient]:
    client = minikernel.MiniKernelClient(connection_file=str(kernel.file), scheme=SCHEME)
    client.load_connection_file()

    def note(event: minikernel.TraceEvent) -> None:
        if (event.direction, event.msg_type) == ("sent", "handshake"):
            hellos.append(bytes(event.frames[-1]).hex())

    client.trace = note
    with client:
        client.start_channels()
        client.wait_for_ready(PATIENCE)
        yield client


@contextlib.contextmanager
def flooded(kernel: KernelProcess, name: str, hello: str) -> Iterator[subprocess.Popen[str]]:
    port = str(kernel.info[f"{FLOODS[name]}_port"])
    command = [sys.executable, str(SENDER), "send", port, name, COUNT, SECONDS, hello]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "connected\n"
            yield process
            assert process.wait(PATIENCE) == 0
            assert int(process.stdout.readline()) >= 1000
        finally:
            process.kill()


def rss(kernel: KernelProcess) -> int:
    return int(psutil.Process(kernel.process.pid).memory_info().rss)


@pytest.mark.parametrize("name", FLOODS)
def test_a_client_keeps_its_answers(
    kernel: KernelProcess, working: minikernel.MiniKernelClient, hellos: list[str], name: str
) -> None:
    before, calls = rss(kernel), 0
    with flooded(kernel, name, hellos[0]) as process:
        while process.poll() is None or calls < 3:
            calls += 1
            result = working.run(f"print({calls}); {calls} * 2", timeout=PATIENCE)
            assert (result.stdout, result.value) == (f"{calls}\n", f"{calls * 2}")
            assert working.request_control("kernel_info_request")["status"] == "ok"
    if FLOODS[name] != "iopub":  # what libzmq remembers of subscriptions is out of our hands
        assert rss(kernel) - before <= GROWTH
    assert working.lost == ()
    reasons = {reason for row in working.ledger for reason in row.rejected}
    assert reasons <= {"no tag", "unknown session"}  # said before this client had joined


@pytest.mark.parametrize("name", ["wrong HELLOs", "replayed HELLOs"])
def test_a_newcomer_gets_in(
    kernel: KernelProcess, working: minikernel.MiniKernelClient, hellos: list[str], name: str
) -> None:
    assert working
    with (
        flooded(kernel, name, hellos[0]),
        minikernel.connect(kernel.file, scheme=SCHEME, timeout=PATIENCE) as newcomer,
    ):
        assert newcomer.run("6 * 7", timeout=PATIENCE).value == "42"
