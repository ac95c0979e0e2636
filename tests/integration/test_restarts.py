"""A kernel is killed at random moments under load and started again on the same connection file."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import zmq

import minikernel
from minikernel.auth.replay_memory import CAPACITY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minikernel.client.ledger import Row
    from minikernel.client.verifier import TraceEvent
    from tests.conftest import KernelProcess

CHANNEL_HMAC, STOCK = "channel-hmac-sha256", "hmac-sha256"
PATIENCE = 20
LONGEST = 0.12  # seconds of load before a kill
CELL = "import os\nwith open({file!r}, 'a') as f: f.write('{name} %d\\n' % os.getpid())"
PORTS = ("shell", "iopub", "stdin", "control", "hb")
REPLAYED = ("shell", "control", "stdin")


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scheme", [CHANNEL_HMAC, STOCK])
@pytest.mark.timeout(600)
def test_kills_under_load(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path, scheme: str, kills: int
) -> None:
    rng = random.Random(kills)
    storm = Storm(start_kernel("--sessions", "1000", signature_scheme=scheme), tmp_path / "ran")
    with minikernel.connect(storm.kernel.file, scheme=scheme, timeout=PATIENCE) as client:
        client.trace = storm.record
        storm.check_that_it_works(client)
        for _ in range(kills):
            storm.load(client, rng.uniform(0, LONGEST))
            bound = storm.restart()
            storm.check_that_it_works(client)
            storm.downtimes.append(time.monotonic() - bound)
            storm.replay(client)
            storm.check_what_ran()
        if scheme == CHANNEL_HMAC:
            storm.check_the_accounts(client)
    print(storm.report())  # noqa: T201 - shown by pytest -s


class Storm:
    """One kernel after the other on a connection file, and all that was ever sent to them.

    Args:
        kernel: the first.
        file: where each cell writes its name and its process.
    """

    def __init__(self, kernel: KernelProcess, file: Path) -> None:
        self.kernel = kernel
        self.downtimes: list[float] = []  # seconds from the bound sockets to an answer
        self._file = file
        self._recorded: list[tuple[str, list[bytes]]] = []  # channel, frames
        self._old: list[tuple[str, list[bytes]]] = []  # those from before the last restart
        self._process: dict[str, int] = {}  # name of a cell -> the kernel that it was sent to
        self._asked: set[str] = set()  # msg_ids
        self._answered: set[str] = set()
        self._names = 0

    def record(self, event: TraceEvent) -> None:
        """A tap: everything that the client puts on the wire."""
        frames = [bytes(frame) for frame in event.frames]
        if event.direction == "sent":
            self._recorded.append((event.channel, frames))
        at = frames.index(b"<IDS|MSG>")
        if event.msg_type == "execute_request":
            self._asked.add(json.loads(frames[at + 2])["msg_id"])
        elif event.msg_type == "execute_reply" and event.verdict == "ok":
            self._answered.add(json.loads(frames[at + 3])["msg_id"])

    def cell(self) -> str:
        """A cell with a name of its own, for the kernel that lives now."""
        self._names += 1
        name = f"cell{self._names}"
        self._process[name] = self.kernel.process.pid
        return CELL.format(file=str(self._file), name=name)

    def load(self, client: minikernel.MiniKernelClient, seconds: float) -> None:
        """Cells as fast as they go, and some on control; a kill in their midst."""
        killer = threading.Timer(seconds, self.kernel.kill)
        killer.start()
        while killer.is_alive():
            for _ in range(3):
                client.execute(self.cell())
            with contextlib.suppress(minikernel.RequestLost, TimeoutError):
                client.run(self.cell(), timeout=0.05)
        killer.join()

    def restart(self) -> float:
        """Start it again; the moment when its sockets were bound."""
        self._old = list(self._recorded)
        moments: list[float] = []
        watch = threading.Thread(target=lambda: moments.append(bound(self.kernel.info)))
        watch.start()
        self.kernel.start()
        watch.join()
        return moments[0]

    def check_that_it_works(self, client: minikernel.MiniKernelClient) -> None:
        """Until a cell gives its result; those that the restart took are said to be lost."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(minikernel.RequestLost, TimeoutError):
                if client.run(self.cell() + "\n6 * 7", timeout=0.5).value == "42":
                    return
        pytest.fail("the client does not work again")

    def replay(self, client: minikernel.MiniKernelClient) -> None:
        """All that was recorded before, from a stranger's connections; until it was looked at."""
        client.trace = None  # what asks for the verdicts is not replayed in its turn
        assert len(self._recorded) < CAPACITY, "more than hmac-sha256 remembers"
        before = client.auth_status()
        expected = {}
        with contextlib.ExitStack() as stack:
            context = zmq.Context()
            stack.callback(context.destroy, 0)
            for channel in REPLAYED:
                frames = [f for name, f in self._old if name == channel]
                expected[channel] = looked_at(before[channel]) + len(frames)
                stranger = stack.enter_context(context.socket(zmq.DEALER))
                stranger.linger = 0
                stranger.sndhwm = 0
                stranger.connect(f"tcp://127.0.0.1:{self.kernel.info[f'{channel}_port']}")
                for message in frames:
                    stranger.send_multipart(message)
            deadline = time.monotonic() + PATIENCE
            while any(looked_at(client.auth_status()[c]) < n for c, n in expected.items()):
                assert time.monotonic() < deadline
        client.trace = self.record

    def check_what_ran(self) -> None:
        """Each cell once at most, and in no later kernel than the one that it was sent to."""
        lines = [line.split() for line in self._file.read_text().splitlines()]
        names = [name for name, _ in lines]
        assert len(names) == len(set(names)), "a cell ran twice"
        if self.kernel.info["signature_scheme"] == CHANNEL_HMAC:
            late = [n for n, pid in lines if self._process[n] != int(pid)]
            assert not late, "a cell ran after a restart"

    def check_the_accounts(self, client: minikernel.MiniKernelClient) -> None:
        """What was asked was answered, or is said to be lost."""
        deadline = time.monotonic() + PATIENCE
        while missing := self._asked - self._answered - {lost.msg_id for lost in client.lost}:
            assert time.monotonic() < deadline, f"{len(missing)} requests are not accounted for"
            client.run("", timeout=PATIENCE)
        assert not self._answered & {lost.msg_id for lost in client.lost}

    def report(self) -> str:
        """The distribution of the times until the client worked again."""
        times = sorted(self.downtimes)
        p95 = times[int(0.95 * (len(times) - 1))]
        return (
            f"{len(times)} kills, {self._names} cells, {len(self._recorded)} messages; working"
            f" again after ms: median {statistics.median(times) * 1e3:.0f},"
            f" p95 {p95 * 1e3:.0f}, max {times[-1] * 1e3:.0f}"
        )


def looked_at(row: Row) -> int:
    """How many messages the kernel has taken or refused."""
    return row.verified + row.refusals


def bound(info: dict[str, Any]) -> float:
    """Wait until all ports can be connected to; when that was."""
    for name in PORTS:
        while True:
            try:
                socket.create_connection(("127.0.0.1", info[f"{name}_port"])).close()
                break
            except ConnectionRefusedError:
                threading.Event().wait(0.002)
    return time.monotonic()
