"""Subscribers that read slowly, never, or send what nobody wants: who pays, and who is told."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import zmq

import minikernel
from minikernel.client import inbox
from minikernel.kernel.publisher import GREETINGS
from minikernel.transport.sockets import IOPUB_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import KernelProcess, RawClient

PATIENCE = 60
MIB = 1 << 20
SPARE = 30 * MIB  # what a kernel may grow by for other reasons
SCHEMES = pytest.mark.parametrize("scheme", ["hmac-sha256", "channel-hmac-sha256"])
LENGTH = 10_000  # characters of an output
OUTPUTS = 500  # of one cell: so few wait for a client that reads them
SHOWN = OUTPUTS * [LENGTH + 2]
CELLS = 3 * IOPUB_QUEUE // OUTPUTS
FLOOD = f"for _ in range({OUTPUTS}): display('x' * {LENGTH})"  # what is printed would be joined
BURST = 20_000  # outputs; more than wait anywhere on the way to a client
STOPPED = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
socket.connect("tcp://127.0.0.1:" + sys.argv[1])
socket.recv()
print("subscribed", flush=True)
while True:
    socket.recv()
"""


def rss(kernel: KernelProcess) -> int:
    return int(psutil.Process(kernel.process.pid).memory_info().rss)


def client_of(kernel: KernelProcess) -> minikernel.MiniKernelClient:
    return minikernel.connect(kernel.file, timeout=PATIENCE)


@contextlib.contextmanager
def who_does_not_read(port: int, work: Callable[[], object]) -> Iterator[None]:
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.linger, subscriber.rcvhwm = 0, 1
        subscriber.subscribe(b"")
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        while not subscriber.poll(100):
            work()
        yield


@contextlib.contextmanager
def who_is_stopped(port: int, work: Callable[[], object]) -> Iterator[None]:
    command = [sys.executable, "-c", STOPPED, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            while not select.select([process.stdout], [], [], 0.1)[0]:
                work()
            os.kill(process.pid, signal.SIGSTOP)
            yield
        finally:
            process.kill()


@SCHEMES
@pytest.mark.parametrize("stuck", [who_does_not_read, who_is_stopped])
def test_a_stuck_subscriber_costs_its_queue_and_disturbs_nobody(
    start_kernel: Callable[..., KernelProcess], stuck: Any, scheme: str
) -> None:
    kernel = start_kernel(signature_scheme=scheme)
    with client_of(kernel) as working:
        with stuck(kernel.info["iopub_port"], lambda: working.run("None", timeout=PATIENCE)):
            before = rss(kernel)
            for _ in range(CELLS):
                result = working.run(FLOOD, timeout=PATIENCE)
                assert [len(d["data"]["text/plain"]) for d in result.displays] == SHOWN
                assert (result.complete, result.missed) == (True, 0)
            assert rss(kernel) - before < IOPUB_QUEUE * (LENGTH + 1000) + SPARE
        assert working.run("6 * 7", timeout=PATIENCE).value == "42"
        assert working.ledger["iopub"].gaps == 0


def heard(client: minikernel.MiniKernelClient) -> int:
    """What this client had of all that was published, or knows to have missed."""
    row = client.ledger["iopub"]
    return row.verified + row.gaps


def published(client: minikernel.MiniKernelClient) -> int:
    """What the kernel has published; once more is told, the client has heard of it all."""
    told = client.auth_status(timeout=PATIENCE)["iopub"].sent
    while not client.run("1", timeout=PATIENCE).complete:
        told += 4
    return told + 1 + 4  # this request's idle; busy, execute_input, execute_result, idle


@SCHEMES
def test_a_slow_client_knows_how_much_it_missed_and_does_not_hang(
    start_kernel: Callable[..., KernelProcess], scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WAITING", MIB)  # it has read little of what waits for it
    kernel = start_kernel(signature_scheme=scheme)
    with client_of(kernel) as slow, client_of(kernel) as other:
        began = published(slow) - heard(slow)
        assert slow.ledger["iopub"].gaps == 0
        waited = False

        def wait_for_the_end(msg: dict[str, Any]) -> None:
            nonlocal waited
            if msg["msg_type"] == "display_data" and not waited:
                waited = True  # the other one's cell comes after ours
                assert other.run("None", timeout=PATIENCE).status == "ok"

        burst = 2 * BURST  # more than all queues and the system hold
        code = f"for i in range({burst}): display('x' * 2000)"
        result = slow.run(code, timeout=PATIENCE, on_output=wait_for_the_end)
        assert (result.status, result.complete) == ("ok", False)
        assert published(slow) - heard(slow) == began
        gaps = slow.ledger["iopub"].gaps
        assert 0 < gaps < burst
        assert f"missing {gaps}" in str(slow.ledger)
        assert slow.run("1", timeout=PATIENCE).missed == 0


@pytest.mark.slow
@SCHEMES
def test_a_client_that_is_held_up_loses_nothing(
    start_kernel: Callable[..., KernelProcess], scheme: str
) -> None:
    kernel = start_kernel(signature_scheme=scheme)
    waited = False

    with client_of(kernel) as held, client_of(kernel) as other:

        def wait_for_the_end(msg: dict[str, Any]) -> None:
            nonlocal waited
            if msg["msg_type"] == "display_data" and not waited:
                waited = True
                assert other.run("None", timeout=PATIENCE).status == "ok"

        # The thread that sends has its turn, also on a busy machine: this is about who receives.
        code = (
            f"import time\nfor i in range({BURST}): display(i), time.sleep(i % 500 == 0 and 0.01)"
        )
        result = held.run(code, timeout=2 * PATIENCE, on_output=wait_for_the_end)
        assert (len(result.displays), result.complete, result.missed) == (BURST, True, 0)


def test_a_late_joiner_misses_nothing_nor_does_who_sees_a_restart(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    kernel = start_kernel()
    with client_of(kernel) as first:
        for _ in range(10):
            first.run("1", timeout=PATIENCE)
        with client_of(kernel) as late:
            assert late.run("1", timeout=PATIENCE).missed == 0
            assert late.ledger["iopub"].gaps == 0
        kernel.kill()
        kernel.start()
        first.wait_for_ready(PATIENCE)
        assert first.run("6 * 7", timeout=PATIENCE).missed == 0
        assert first.ledger["iopub"].gaps == 0


def test_without_guards_nothing_is_numbered(
    start_kernel: Callable[..., KernelProcess], connect: Callable[..., RawClient]
) -> None:
    client = connect(start_kernel("--guards", "off"))
    _, outputs = client.execute("print(1)")
    assert [message["metadata"] for message in outputs] == [{}] * len(outputs)


def test_all_that_is_published_has_the_next_number(
    start_kernel: Callable[..., KernelProcess], connect: Callable[..., RawClient]
) -> None:
    client = connect(start_kernel())
    _, outputs = client.execute("print(1); 1 / 0")
    with client.connect(zmq.SUB, "iopub", subscribe=b"other"):
        while outputs[-1]["content"] != {"subscription": "other"}:  # a greeting counts too
            outputs.append(client.receive(client.iopub))
    marks = [message["metadata"]["minikernel"] for message in outputs]
    assert len({mark["run"] for mark in marks}) == 1
    numbers = [mark["sequence"] for mark in marks]
    first = numbers[0]
    idle = first + len(numbers) - 1  # read by `execute`, before the greeting
    assert numbers == [*range(first, idle), idle + 1]


@pytest.fixture(scope="module")
def working(kernel: KernelProcess) -> Iterator[minikernel.MiniKernelClient]:
    with client_of(kernel) as client:
        yield client


def stranger(kernel: KernelProcess) -> socket.socket:
    """A subscriber that speaks ZMTP 3.0 (RFC 23) itself, after the handshake."""
    connection = socket.create_connection(("127.0.0.1", kernel.info["iopub_port"]), PATIENCE)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 3) + b"SUB"
    connection.sendall(greeting + b"\x04" + bytes([len(ready)]) + ready)
    received = 0
    while received <= len(greeting):
        received += len(connection.recv(1000))
    return connection


def frame(body: bytes) -> bytes:
    return b"\x02" + struct.pack(">Q", len(body)) + body


def pour(connections: list[socket.socket], data: bytes, seconds: float) -> int:
    """Send the same again and again, as fast as it is taken; how many bytes were."""
    sent, end = 0, time.monotonic() + seconds
    views = {connection: memoryview(data) for connection in connections}
    for connection in connections:
        connection.setblocking(False)
    while time.monotonic() < end:
        for connection in select.select([], connections, [], 0.1)[1]:
            done = connection.send(views[connection])
            views[connection] = views[connection][done:] or memoryview(data)
            sent += done
    return sent


def test_a_topic_of_20_mb_ends_its_connection_and_costs_nothing(
    kernel: KernelProcess, working: minikernel.MiniKernelClient
) -> None:
    working.run("None", timeout=PATIENCE)
    before = rss(kernel)
    for _ in range(5):
        with stranger(kernel) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(frame(b"\x01" + b"t" * 20_000_000))
            with contextlib.suppress(ConnectionError):
                while connection.recv(1000):
                    """What was published before, until the kernel ends the connection."""
        assert working.run("6 * 7", timeout=PATIENCE).value == "42"
    assert rss(kernel) - before < 5 * MIB


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [b"\x01topic", b"\x07" + b"m" * 900, b"\x00" + b"m" * 900], ids=lambda b: repr(b[:3])
)
def test_what_is_sent_to_iopub_again_and_again_waits_at_its_sender(
    start_kernel: Callable[..., KernelProcess], body: bytes
) -> None:
    # On a busy machine libzmq may take more for a while than the kernel can look at: three tries.
    assert any(poured(start_kernel(name=f"try {turn}"), body) < SPARE for turn in range(3))


def poured(kernel: KernelProcess, body: bytes) -> int:
    """What a kernel has grown by after a flood of this frame."""
    with client_of(kernel) as working:
        working.run("None", timeout=PATIENCE)
        before = rss(kernel)
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(stranger(kernel)) for _ in range(4)]
            sent = pour(connections, frame(body) * 1000, 2)
            assert working.run("6 * 7", timeout=PATIENCE).value == "42"
        assert sent > 1000 * len(body)
        assert working.ledger["iopub"].gaps == 0
    return rss(kernel) - before


def test_greetings_of_many_topics_do_not_drown_the_outputs(
    kernel: KernelProcess, working: minikernel.MiniKernelClient
) -> None:
    topics = [b"\x01topic %d" % i for i in range(50 * GREETINGS)]
    welcomes = 0

    def count(event: minikernel.TraceEvent) -> None:
        nonlocal welcomes
        welcomes += event.msg_type == "iopub_welcome"

    working.trace = count
    with stranger(kernel) as connection:
        connection.sendall(b"".join(map(frame, topics)))
        last = b""
        while b"topic" not in last:  # until it has been greeted for some of them
            last = connection.recv(1 << 16)
        with client_of(kernel) as newcomer:
            assert newcomer.run("6 * 7", timeout=PATIENCE).value == "42"
    assert working.run("6 * 7", timeout=PATIENCE).value == "42"
    working.trace = None
    assert 0 < welcomes < len(topics) / 2
