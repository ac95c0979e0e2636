"""A kernel as a real process, and a client that says on the wire exactly what a test wants."""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from hypothesis import HealthCheck, settings

import tests.ports  # noqa: F401 - replaces how jupyter_client chooses them
from minikernel.transport import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DELIMITER = b"<IDS|MSG>"
# Time is what a busy machine takes; hypothesis' own profile for CI says the same.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "mutation", max_examples=10, derandomize=True
)  # for each of 2,000 mutants
PATIENCE = 20  # seconds until a test gives a kernel up
# Whoever started this may ignore signals (nohup, a shell's &), and children would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
REFUSAL = re.compile(
    r"minikernel: (shell|control|stdin|hb): refused, [a-z ]+; \d+ so far"
    r"( \(and \d+ lines left out\))?"
)


class KernelProcess:
    """`minikernel run` on a connection file of our own."""

    def __init__(self, directory: Path, *options: str, **fields: Any) -> None:
        self.file = directory / "kernel.json"
        self.log = directory / "terminal.txt"
        if not self.file.exists():
            defaults = connection.new_fields(
                transport="tcp",
                ip="127.0.0.1",
                signature_scheme="hmac-sha256",
                key=uuid.uuid4().hex,
            )
            connection.write(self.file, {**defaults, **fields})
        self.options = options
        self._kept: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "minikernel", "run", "-f", str(self.file)]
        if "--history" not in self.options:
            command += ["--history", "off"]
        self._keep_ports()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.file.parent,
                env={k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"},
            )
        self._wait_for_ports()

    def _keep_ports(self) -> None:
        """Have the system give the ports of a kernel that is started again to nobody else.

        Who binds a port by its number, as the kernel does, may share it with who does not listen.
        """
        info = self.info
        if self._kept or not info["ip"].startswith("127.") or info["shell_port"] == 0:
            return
        for name in connection.PORTS.values():
            self._kept.append(socket.socket())
            self._kept[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._kept[-1].bind((info["ip"], info[name]))

    def _wait_for_ports(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.info["shell_port"] == 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the kernel did not start: {self.terminal}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.01)

    @property
    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = json.loads(self.file.read_text())
        return info

    @property
    def terminal(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for kept in self._kept:
            kept.close()


class RawClient:
    """Speaks stock Jupyter with nothing but zmq, json and hmac."""

    def __init__(
        self, info: dict[str, Any], *, session: str | None = None, digest: str = "sha256"
    ) -> None:
        self.info = info
        self.digest = digest
        self.key = info["key"].encode()
        self.session = session or uuid.uuid4().hex
        self.context = zmq.Context()
        self.context.linger = 0
        self.shell = self.connect(zmq.DEALER, "shell")
        self.control = self.connect(zmq.DEALER, "control")
        self.stdin = self.connect(zmq.DEALER, "stdin")
        self.iopub = self.connect(zmq.SUB, "iopub", subscribe=b"")
        try:
            while self.receive(self.iopub)["header"]["msg_type"] != "iopub_welcome":
                pass
        except BaseException:
            self.close()
            raise

    def connect(
        self,
        kind: int,
        channel: str,
        subscribe: bytes | None = None,
        identity: bytes | None = None,
    ) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.reconnect_ivl = 5
        if kind == zmq.DEALER:
            socket.identity = identity or self.session.encode()
        if subscribe is not None:
            socket.set_hwm(0)
            socket.subscribe(subscribe)
        port = self.info[f"{channel}_port"]
        if self.info["transport"] == "ipc":
            socket.connect(f"ipc://{self.info['ip']}-{port}")
        else:
            socket.connect(f"tcp://{self.info['ip']}:{port}")
        return socket

    def sign(self, *frames: bytes) -> list[bytes]:
        if not self.key:
            return [DELIMITER, b"", *frames]
        signature = hmac.new(self.key, b"".join(frames[:4]), self.digest).hexdigest().encode()
        return [DELIMITER, signature, *frames]

    def header(self, msg_type: str, **changes: Any) -> dict[str, Any]:
        return {
            "msg_id": uuid.uuid4().hex,
            "msg_type": msg_type,
            "session": self.session,
            "username": "test",
            "date": "2026-01-01T00:00:00Z",
            "version": "5.4",
            **changes,
        }

    def message(
        self,
        msg_type: str,
        content: dict[str, Any],
        parent: dict[str, Any] | None = None,
        **header: Any,
    ) -> tuple[str, list[bytes]]:
        head = self.header(msg_type, **header)
        dicts = (head, parent or {}, {}, content)
        return head["msg_id"], self.sign(*(json.dumps(d).encode() for d in dicts))

    def send(self, socket: zmq.Socket[bytes], msg_type: str, **content: Any) -> str:
        msg_id, frames = self.message(msg_type, content)
        socket.send_multipart(frames)
        return msg_id

    def receive(self, socket: zmq.Socket[bytes], timeout: float = PATIENCE) -> dict[str, Any]:
        if not socket.poll(timeout * 1000):
            raise TimeoutError
        return self.decode(socket.recv_multipart())

    def decode(self, frames: list[bytes]) -> dict[str, Any]:
        at = frames.index(DELIMITER)
        assert frames[at:] == self.sign(*frames[at + 2 :]), "a wrong signature from the kernel"
        names = ("header", "parent_header", "metadata", "content")
        message = dict(zip(names, map(json.loads, frames[at + 2 : at + 6]), strict=True))
        return {**message, "buffers": frames[at + 6 :], "topic": frames[:at]}

    def reply(self, socket: zmq.Socket[bytes], msg_id: str) -> dict[str, Any]:
        """The reply to a request, past those to others."""
        while True:
            message = self.receive(socket)
            if message["parent_header"].get("msg_id") == msg_id:
                return message

    def request(self, socket: zmq.Socket[bytes], msg_type: str, **content: Any) -> dict[str, Any]:
        """The content of the reply."""
        reply = self.reply(socket, self.send(socket, msg_type, **content))
        assert reply["header"]["msg_type"] == msg_type.replace("_request", "_reply")
        return reply["content"]

    def outputs(self, msg_id: str) -> list[dict[str, Any]]:
        """What iopub says about a request, up to its idle."""
        found = []
        while True:
            message = self.receive(self.iopub)
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            if message["content"].get("execution_state") == "idle":
                return found
            found.append(message)

    def execute(self, code: str, **content: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The reply's content, and the outputs between busy and idle."""
        msg_id = self.send(self.shell, "execute_request", code=code, **content)
        reply = self.reply(self.shell, msg_id)["content"]
        return reply, self.outputs(msg_id)

    def text(self, code: str, **content: Any) -> str:
        """What the cell wrote to stdout."""
        reply, outputs = self.execute(code, **content)
        assert reply["status"] == "ok", reply
        return "".join(
            m["content"]["text"] for m in outputs if m["content"].get("name") == "stdout"
        )

    def rejected(self, channel: str) -> dict[str, int]:
        """What the kernel has refused on a channel, by reason."""
        status = self.request(self.control, "auth_status_request")
        found: dict[str, int] = status["channels"][channel]["rejected"]
        return found

    def close(self) -> None:
        self.context.destroy(0)


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[..., KernelProcess]]:
    """Starts kernels that end with the test."""
    started: list[KernelProcess] = []

    def start(*options: str, name: str = "kernel", **fields: Any) -> KernelProcess:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        started.append(KernelProcess(directory, *options, **fields))
        return started[-1]

    yield start
    for kernel in started:
        kernel.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., RawClient]]:
    """Connects clients that are closed with the test."""
    clients: list[RawClient] = []

    def connect(kernel: KernelProcess, **options: Any) -> RawClient:
        clients.append(RawClient(kernel.info, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def kernel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KernelProcess]:
    """One kernel for all tests of a module that don't harm it; the module may say which."""
    options = getattr(request.module, "KERNEL_OPTIONS", ())
    fields = getattr(request.module, "CONNECTION_FIELDS", {})
    process = KernelProcess(tmp_path_factory.mktemp("kernel"), *options, **fields)
    yield process
    process.close()


@pytest.fixture
def client(kernel: KernelProcess) -> Iterator[RawClient]:
    """A client of that kernel."""
    raw = RawClient(kernel.info)
    yield raw
    raw.close()


@pytest.fixture(scope="module")
def sender(kernel: KernelProcess) -> Iterator[RawClient]:
    """Sends all that is wrong, on one connection a channel."""
    raw = RawClient(kernel.info)
    yield raw
    raw.close()


@pytest.fixture(scope="module")
def other(kernel: KernelProcess) -> Iterator[RawClient]:
    """Another client of the same kernel, meanwhile."""
    raw = RawClient(kernel.info)
    yield raw
    raw.close()


@pytest.fixture(scope="module")
def quiet(kernel: KernelProcess) -> Iterator[None]:
    """All cases of a module together put a line a second on the terminal, and nothing of theirs."""
    start = time.monotonic()
    yield
    lines = kernel.terminal.splitlines()
    assert all(REFUSAL.fullmatch(line) for line in lines), lines
    assert len(lines) <= time.monotonic() - start + 1


class Seen:
    """What a message brought about, found out by the next good request on its connection."""

    def __init__(self, sender: RawClient, other: RawClient, channel: str) -> None:
        self.sender, self.other, self.channel = sender, other, channel
        self.socket = getattr(sender, channel)
        self.before = self._rejected()

    def _rejected(self) -> dict[str, int]:
        msg_id = self.sender.send(self.sender.control, "auth_status_request")
        content = self.sender.reply(self.sender.control, msg_id)["content"]
        self.sender.outputs(msg_id)
        rejected: dict[str, int] = content["channels"][self.channel]["rejected"]
        return rejected

    def send(self, frames: list[bytes]) -> None:
        self.socket.send_multipart(frames)
        probe = self.sender.send(self.socket, "kernel_info_request")
        self.replies = []
        while (reply := self.sender.receive(self.socket))["parent_header"].get("msg_id") != probe:
            self.replies.append(reply)
        assert reply["content"]["status"] == ("error" if self.channel == "stdin" else "ok")
        self.outputs = []
        while (output := self.sender.receive(self.sender.iopub)) and not (
            output["parent_header"].get("msg_id") == probe
            and output["content"]["execution_state"] == "idle"
        ):
            self.outputs.append(output)
        self.outputs = [
            m
            for m in self.outputs
            if m["parent_header"].get("msg_id") != probe
            and m["parent_header"].get("session") != self.other.session
        ]
        content = self.other.request(self.other.shell, "kernel_info_request")
        assert content["status"] == "ok"

    def counted(self) -> dict[str, int]:
        """What was counted meanwhile, the good request left out (stdin takes none)."""
        after = self._rejected()
        if self.channel == "stdin":
            after["refused"] -= 1
        counts = {reason: n - self.before.get(reason, 0) for reason, n in after.items()}
        return {reason: n for reason, n in counts.items() if n}


@pytest.fixture(params=("shell", "control", "stdin"))
def seen(
    request: pytest.FixtureRequest, kernel: KernelProcess, sender: RawClient, other: RawClient
) -> Iterator[Seen]:
    """Sends one message, on each channel in turn."""
    assert kernel.process.poll() is None, kernel.terminal
    yield Seen(sender, other, request.param)
    assert not (kernel.file.parent / "executed").exists()
