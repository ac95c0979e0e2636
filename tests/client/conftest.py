"""A kernel of ours to talk to, and one played by hand that says whatever a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import zmq

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DELIMITER = b"<IDS|MSG>"
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class Rogue:
    """Plays a kernel with nothing but zmq, json and hmac.

    Requests on control are answered; for each on shell `script(rogue, request)` is called.
    """

    def __init__(self, path: Path, script: Callable[[Rogue, dict[str, Any]], object]) -> None:
        self.path = path
        self.key = uuid.uuid4().hex
        self.session = uuid.uuid4().hex
        self.script = script
        self.problem: BaseException | None = None
        self._context = zmq.Context()
        self._context.linger = 0
        self.shell = self._context.socket(zmq.ROUTER)
        self.control = self._context.socket(zmq.ROUTER)
        self.stdin = self._context.socket(zmq.ROUTER)
        self.iopub = self._context.socket(zmq.PUB)
        self.heartbeat = self._context.socket(zmq.ROUTER)
        self.echo: Callable[[bytes], bytes | None] = lambda payload: payload
        self._stop, self._stopped = self._pair()
        sockets = (self.shell, self.iopub, self.stdin, self.control, self.heartbeat)
        ports = [socket.bind_to_random_port("tcp://127.0.0.1") for socket in sockets]
        fields = {
            **dict(zip(PORTS, ports, strict=True)),
            "transport": "tcp",
            "ip": "127.0.0.1",
            "key": self.key,
            "signature_scheme": "hmac-sha256",
        }
        path.touch(0o600)
        path.write_text(json.dumps(fields))
        self._thread = threading.Thread(target=self._guarded)
        self._thread.start()

    def _pair(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        here, there = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        here.bind("inproc://stop")
        there.connect("inproc://stop")
        return here, there

    def close(self) -> None:
        self._stop.send(b"")
        self._thread.join()
        self._context.destroy(0)
        if self.problem is not None:
            raise self.problem

    def _guarded(self) -> None:
        try:
            self._serve()
        except BaseException as problem:  # noqa: BLE001 - raised again by close
            self.problem = problem

    def _serve(self) -> None:
        poller = zmq.Poller()
        for socket in (self.shell, self.control, self.heartbeat, self._stopped):
            poller.register(socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._stopped in ready:
                return
            if self.heartbeat in ready:
                self._beat()
            if self.control in ready:
                request = self.receive(self.control)
                self.publish("status", {"execution_state": "busy"}, request)
                self.reply(request, on=self.control)
                self.idle(request)
            if self.shell in ready:
                self.script(self, self.receive(self.shell))

    def _beat(self) -> None:
        *route, payload = self.heartbeat.recv_multipart()
        answer = self.echo(payload)
        if answer is not None:
            self.heartbeat.send_multipart([*route, answer])

    def receive(self, socket: zmq.Socket[bytes]) -> dict[str, Any]:
        frames = socket.recv_multipart()
        at = frames.index(DELIMITER)
        header, parent, metadata, content = (json.loads(f) for f in frames[at + 2 : at + 6])
        return {
            "identities": frames[:at],
            "frames": frames[at:],
            "header": header,
            "parent_header": parent,
            "metadata": metadata,
            "content": content,
        }

    def frames(
        self,
        msg_type: str,
        content: dict[str, Any],
        request: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        **header: Any,
    ) -> list[bytes]:
        """The signed frames of a message, from the delimiter on."""
        head = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": msg_type,
            "session": self.session,
            "username": "rogue",
            "date": "2026-01-01T00:00:00.000001Z",
            "version": "5.5",
            **header,
        }
        parent = request["header"] if request else {}
        return self.sign([head, parent, {}, content], key=key)

    def sign(self, dicts: list[Any], *, key: str | None = None) -> list[bytes]:
        frames = [json.dumps(d).encode() for d in dicts]
        digest = hmac.new((key or self.key).encode(), b"".join(frames), "sha256").hexdigest()
        return [DELIMITER, digest.encode(), *frames]

    def publish(
        self,
        msg_type: str,
        content: dict[str, Any],
        request: dict[str, Any] | None = None,
        **options: Any,
    ) -> list[bytes]:
        frames = self.frames(msg_type, content, request, **options)
        self.iopub.send_multipart([b"topic", *frames])
        return frames

    def print(self, text: str, request: dict[str, Any], **options: Any) -> list[bytes]:
        return self.publish("stream", {"name": "stdout", "text": text}, request, **options)

    def idle(self, request: dict[str, Any], **options: Any) -> None:
        self.publish("status", {"execution_state": "idle"}, request, **options)

    def reply(
        self,
        request: dict[str, Any],
        *,
        on: zmq.Socket[bytes] | None = None,
        content: dict[str, Any] | None = None,
        **options: Any,
    ) -> list[bytes]:
        msg_type = request["header"]["msg_type"].replace("_request", "_reply")
        frames = self.frames(msg_type, content or {"status": "ok"}, request, **options)
        (on or self.shell).send_multipart([*request["identities"], *frames])
        return frames

    def ask(self, prompt: str, request: dict[str, Any], **options: Any) -> None:
        content = {"prompt": prompt, "password": False}
        frames = self.frames("input_request", content, request, **options)
        self.stdin.send_multipart([*request["identities"], *frames])


def obedient(rogue: Rogue, request: dict[str, Any]) -> None:
    """A script that does what a kernel does."""
    rogue.publish("status", {"execution_state": "busy"}, request)
    rogue.reply(request)
    rogue.idle(request)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., tuple[Rogue, minikernel.MiniKernelClient]]]:
    """Start a rogue that follows a script; gives it and a client that is connected to it."""
    with contextlib.ExitStack() as stack:

        def start(
            script: Callable[[Rogue, dict[str, Any]], object] = obedient,
        ) -> tuple[Rogue, minikernel.MiniKernelClient]:
            rogue = Rogue(tmp_path / "kernel.json", script)
            stack.callback(rogue.close)
            client = stack.enter_context(minikernel.connect(rogue.path, timeout=20))
            return rogue, client

        yield start


@pytest.fixture(scope="session")
def shared_client() -> Iterator[minikernel.MiniKernelClient]:
    with minikernel.launch(extra_arguments=["--history", "off"]) as client:
        yield client


@pytest.fixture
def client(shared_client: minikernel.MiniKernelClient) -> minikernel.MiniKernelClient:
    """A client on a kernel of ours; tests share it, so they leave it as they found it."""
    shared_client.trace = None
    return shared_client


class StartedError(Exception):
    """The cell runs."""


def _leave_when_started(msg: dict[str, Any]) -> None:
    if msg["msg_type"] == "stream":
        raise StartedError


SLEEPING = "import time; print('started', flush=True); time.sleep(60)"
FLOODING = "while True: print('x', flush=True)"


@pytest.fixture
def abandon() -> Callable[..., None]:
    """Starts a cell, and leaves it alone as soon as it runs."""

    def start(client: minikernel.MiniKernelClient, *, flooding: bool = False) -> None:
        with pytest.raises(StartedError):
            client.run(
                FLOODING if flooding else SLEEPING, timeout=20, on_output=_leave_when_started
            )

    return start


@pytest.fixture
def coroutines() -> tuple[list[str], Callable[..., Any], Callable[..., Any]]:
    """Callbacks for outputs and questions that are coroutine functions, and what the first saw."""
    seen: list[str] = []

    async def on_output(msg: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        seen.append(msg["msg_type"])

    async def on_input(prompt: str, _password: bool) -> str:
        await asyncio.sleep(0)
        return prompt + "answered"

    return seen, on_output, on_input
