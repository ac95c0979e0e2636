"""What the benchmarks share: kernels with a raw client, medians with their spread, reports.

A benchmark is a script whose `main` calls `run`; alone it prints its tables, and suite.py makes
docs/benchmarks.md of all of them.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import zmq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Row = Sequence[object]

# An installed package has its bytecode, and the other kernels have theirs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HERE = Path(__file__).parent
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
FLOOR = [sys.executable, str(HERE / "floor.py"), "{connection_file}"]
OURS = [sys.executable, "-m", "minikernel", "run", "--history", "off", "-f", "{connection_file}"]
PEERS = {  # our name -> package, kernelspec; those of targets.md
    "xeus-python raw": ("xeus-python", "xpython-raw"),
    "xeus-python": ("xeus-python", "xpython"),
    "ipymini": ("ipymini", "py"),
    "ipykernel": ("ipykernel", "python3"),
}
START_TIMEOUT = 60.0  # seconds
LOST = 20.0  # seconds without a message after which what is missing will not come


@dataclass
class Report:
    """What a benchmark found.

    Args:
        title: of its chapter.
        text: paragraphs and tables in Markdown.
        figures: name -> SVG.
        facts: single figures, for the table of targets.
    """

    title: str
    text: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def say(self, paragraph: str) -> None:
        self.text.append(paragraph)

    def table(self, head: Row, rows: Sequence[Row]) -> None:
        lines = [f"| {' | '.join(map(str, line))} |" for line in (head, *rows)]
        lines.insert(1, "|" + "---|" * len(head))
        self.say("\n".join(lines))

    def draw(self, name: str, svg: str, caption: str) -> None:
        self.figures[name] = svg
        self.say(f"![{caption}](benchmarks/{name}.svg)")


def run(
    measure: Callable[[argparse.Namespace], Report],
    description: str | None,
    configure: Callable[[argparse.ArgumentParser], object] = lambda _: None,
) -> None:
    """The command line of a benchmark."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="see that it runs; no figures to use")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report there")
    configure(parser)
    options = parser.parse_args()
    report = measure(options)
    print(f"{report.title}\n\n" + "\n\n".join(report.text))
    if options.json:
        options.json.write_text(json.dumps(asdict(report)))


def absolute(path: str) -> str:
    """A program, wherever it is started; a link of an environment stays one."""
    return str(Path(path).absolute())


def configure_peers(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("MINIKERNEL_PEERS", str(HERE.parent / ".venv-peers"))
    parser.add_argument(
        "--peers", type=Path, default=Path(default), help="environment with other kernels"
    )


def peers(environment: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The commands of the other kernels, and why those that are missing are missing."""
    found, missing = {}, {}
    environment = environment.absolute()
    for name, (package, spec) in PEERS.items():
        file = environment / "share" / "jupyter" / "kernels" / spec / "kernel.json"
        if file.exists():
            argv = json.loads(file.read_text())["argv"]
            found[name] = [str(environment / "bin" / "python"), *argv[1:]]
            continue
        log = environment / f"{package}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        said = [line for line in lines if line.startswith("ERROR")]
        missing[name] = said[-1] if said else f"not installed in {environment.name}"
    return found, missing


class Kernel:
    """A kernel process and a raw client of it: zmq, json and hmac, and nothing is verified."""

    def __init__(self, name: str, argv: Sequence[str]) -> None:
        self.name, self.key = name, uuid.uuid4().hex.encode()
        self.info: dict[str, Any] = {
            **dict(zip(PORTS, _free_ports(len(PORTS)), strict=True)),
            "transport": "tcp",
            "ip": "127.0.0.1",
            "key": self.key.decode(),
            "signature_scheme": "hmac-sha256",
        }
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name) / "kernel.json"
        self.file.write_text(json.dumps(self.info))
        self.file.chmod(0o600)
        self.log = Path(self.directory.name) / "terminal.txt"
        self.began = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [a.replace("{connection_file}", str(self.file)) for a in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory.name,  # `-m` takes this checkout's package, if it starts in it
            )
        self.context = zmq.Context()
        self.shell = self.connect(zmq.DEALER, "shell")
        self.iopub = self.connect(zmq.SUB, "iopub")
        self.iopub.subscribe(b"")
        self.poller = zmq.Poller()
        for channel in (self.shell, self.iopub):
            self.poller.register(channel, zmq.POLLIN)

    def connect(self, kind: int, name: str) -> zmq.Socket[bytes]:
        channel = self.context.socket(kind)
        channel.reconnect_ivl = 2  # ms; the default of 100 would hide the start
        channel.set_hwm(0)
        channel.connect(f"tcp://127.0.0.1:{self.info[f'{name}_port']}")
        return channel

    def message(
        self, msg_type: str, content: Mapping[str, Any], buffers: Sequence[bytes] = ()
    ) -> tuple[bytes, list[bytes]]:
        msg_id = uuid.uuid4().hex
        header = {
            "msg_id": msg_id,
            "msg_type": msg_type,
            "session": "bench",
            "username": "",
            "date": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
            "version": "5.4",
        }
        frames = [json.dumps(d).encode() for d in (header, {}, {}, content)]
        signature = hmac.digest(self.key, b"".join(frames), "sha256").hex().encode()
        return msg_id.encode(), [b"<IDS|MSG>", signature, *frames, *buffers]

    def cell(self, code: str) -> tuple[bytes, list[bytes]]:
        options = {"silent": False, "store_history": True, "allow_stdin": False}
        return self.message("execute_request", {"code": code, **options})

    def round_trip(self, code: str, seen: list[bytes] | None = None) -> float:
        """Seconds from sending a cell to having both its reply and its idle.

        Args:
            code: the cell.
            seen: takes the content frames of iopub, as they come.
        """
        msg_id, frames = self.cell(code)
        return self.exchange(msg_id, frames, {self.shell, self.iopub}, seen)

    def exchange(
        self,
        msg_id: bytes,
        frames: list[bytes],
        waiting: set[zmq.Socket[bytes]],
        seen: list[bytes] | None = None,
    ) -> float:
        """Seconds from sending a message to its reply and its idle, as far as waited for."""
        began = time.perf_counter()
        self.shell.send_multipart(frames)
        while waiting:
            ready = self.poller.poll(START_TIMEOUT * 1000)
            if not ready:
                raise SystemExit(f"{self.name}: no answer")
            for channel, _ in ready:
                received = channel.recv_multipart()
                if not any(msg_id in frame for frame in received[:7]):
                    continue
                if channel is self.shell or b'"idle"' in received[-1][:64]:
                    waiting.discard(channel)
                elif seen is not None:
                    seen.append(received[-1])
        return time.perf_counter() - began

    def ready(self) -> float:
        """Seconds from launch to the first kernel_info_reply."""
        self.shell.send_multipart(self.message("kernel_info_request", {})[1])
        if not self.shell.poll(START_TIMEOUT * 1000):
            raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")
        took = time.perf_counter() - self.began
        self.shell.recv_multipart()
        while not self.iopub.poll(50):  # until the subscription has arrived
            self.shell.send_multipart(self.message("kernel_info_request", {})[1])
            self.shell.recv_multipart()
        self.drain()
        return took

    def drain(self) -> list[bytes]:
        """Take what still comes on iopub; its content frames."""
        late = []
        while self.iopub.poll(100):
            late.append(self.iopub.recv_multipart()[-1])
        return late

    def pipelined(self, cells: int) -> float | None:
        """Cells a second, sent without waiting for replies; None: some were lost."""
        requests = [self.cell("pass")[1] for _ in range(cells)]
        began = time.perf_counter()
        for frames in requests:
            self.shell.send_multipart(frames)
        missing = {self.shell: cells, self.iopub: cells}
        while any(missing.values()):
            ready = self.poller.poll(LOST * 1000)
            if not ready:
                return None
            for channel, _ in ready:
                last = channel.recv_multipart()[-1]
                missing[channel] -= channel is self.shell or b'"idle"' in last
        return cells / (time.perf_counter() - began)

    def rss(self) -> float:
        """MB of memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.context.destroy(0)
        self.directory.cleanup()


def _free_ports(count: int) -> list[int]:
    """Below those that systems give to connecting sockets, one of which might take it first."""
    holders: list[socket.socket] = []
    while len(holders) < count:
        with suppress(OSError):
            holders.append(socket.create_server(("127.0.0.1", random.randrange(20_000, 32_000))))
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return [int(port) for port in ports]


@contextmanager
def started(commands: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Kernel]]:
    """Kernels that answer, stopped at the end."""
    kernels: dict[str, Kernel] = {}
    try:
        for name, argv in commands.items():
            kernels[name] = Kernel(name, argv)
            kernels[name].ready()
        yield kernels
    finally:
        for kernel in kernels.values():
            kernel.stop()


def repeat(call: Callable[[], object], count: int) -> list[float]:
    """Seconds that each of several calls took."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median (least-greatest)."""
    middle = statistics.median(values)
    return f"{middle:{form}} ({min(values):{form}}-{max(values):{form}})"


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Turn by turn, so that what else the machine did then touches both."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[int(percent / 100 * (len(ordered) - 1))]


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"
