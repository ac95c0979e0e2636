"""The guards over real sockets: each attack fails, and a stock client is not disturbed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
import zmq

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import KernelProcess, RawClient

PATIENCE = 20
TRACE = "open('ran', 'a').write('x')"


def traces(kernel: KernelProcess) -> int:
    """How often the traced cell ran."""
    path = kernel.file.parent / "ran"
    return len(path.read_text()) if path.exists() else 0


def run_once(client: RawClient) -> list[bytes]:
    """Run the traced cell; its frames, as somebody on the wire recorded them."""
    msg_id, frames = client.message("execute_request", {"code": TRACE})
    client.shell.send_multipart(frames)
    client.outputs(msg_id)
    client.reply(client.shell, msg_id)
    return frames


def recorded(client: RawClient) -> list[list[bytes]]:
    """Every message that the kernel says while a cell runs and asks, delimiter first."""
    frames = []
    msg_id = client.send(client.shell, "execute_request", code="print(input()); 6 * 7")
    frames.append(client.stdin.recv_multipart())
    client.send(client.stdin, "input_reply", value="1")
    frames.append(client.shell.recv_multipart())
    client.send(client.control, "kernel_info_request")
    frames.append(client.control.recv_multipart())
    while b'"idle"' not in frames[-1][-1] or msg_id.encode() not in frames[-1][-3]:
        frames.append(client.iopub.recv_multipart())
    return [f[f.index(b"<IDS|MSG>") :] for f in frames]


def stranger(client: RawClient, kernel: KernelProcess, channel: str) -> zmq.Socket[bytes]:
    """Another connection: no key, only what was recorded."""
    socket = client.context.socket(zmq.DEALER)
    socket.connect(f"tcp://127.0.0.1:{kernel.info[f'{channel}_port']}")
    return socket


def total(client: RawClient, channel: str) -> int:
    return sum(client.rejected(channel).values())


def wait_for(client: RawClient, channel: str, count: int) -> dict[str, int]:
    """The counts of a channel once that many have been refused."""
    deadline = time.monotonic() + 3 * PATIENCE
    while total(client, channel) < count:
        assert time.monotonic() < deadline, client.rejected(channel)
    return client.rejected(channel)


def test_replay(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    frames = run_once(client)
    with stranger(client, kernel, "shell") as other:
        other.send_multipart(frames)
        other.send_multipart([b"more", b"identities", *frames])
        other.send_multipart([*frames, b"a buffer"])
        assert wait_for(client, "shell", 3) == {"replayed": 3}
    for channel in ("control", "stdin"):
        with stranger(client, kernel, channel) as other:
            other.send_multipart(frames)
            assert wait_for(client, channel, 1) == {"replayed": 1}
    assert traces(kernel) == 1
    client.request(client.control, "shutdown_request", restart=True)
    assert kernel.process.wait(PATIENCE) == 0
    kernel.start()
    client = connect(kernel)
    with stranger(client, kernel, "shell") as other:
        other.send_multipart(frames)
        assert wait_for(client, "shell", 1) == {"replayed": 1}
    assert traces(kernel) == 1


def test_forged_variants_of_an_accepted_message(start_kernel: Any, connect: Any) -> None:
    client = connect(kernel := start_kernel())
    frames = run_once(client)
    signature = frames[1]
    variants = [
        signature.upper(),
        signature.title(),
        b" " + signature,
        signature + b"\n",
        signature[:-1],
        bytes.fromhex(signature.decode()),
        b"",
    ]
    for variant in variants:
        client.shell.send_multipart([frames[0], variant, *frames[2:]])
    assert wait_for(client, "shell", 7) == {"bad signature": 7}
    assert traces(kernel) == 1


def test_strangers_cannot_flush_the_replay_memory(start_kernel: Any, connect: Any) -> None:
    client = connect(kernel := start_kernel())
    frames = run_once(client)
    code = (
        "import sys, zmq\n"
        "context = zmq.Context()\n"
        "socket = context.socket(zmq.DEALER)\n"
        "socket.connect(sys.argv[1])\n"
        "for i in range(100_000):\n"
        "    socket.send_multipart([b'<IDS|MSG>', b'%064x' % i, b'{}', b'{}', b'{}', b'{}'])\n"
        "socket.close()\n"
        "context.term()\n"  # waits until all has gone
    )
    url = f"tcp://127.0.0.1:{kernel.info['shell_port']}"
    subprocess.run([sys.executable, "-c", code, url], check=True, timeout=60)
    assert wait_for(client, "shell", 100_000) == {"bad signature": 100_000}
    with stranger(client, kernel, "shell") as other:
        other.send_multipart(frames)
        assert wait_for(client, "shell", 100_001)["replayed"] == 1
    assert traces(kernel) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_reflection(start_kernel: Any, connect: Any, restart: bool) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    messages = recorded(client)
    assert len(messages) >= 8
    if restart:
        kernel.kill()
        kernel.start()
        client = connect(kernel)
    for channel in ("shell", "control", "stdin"):
        with stranger(client, kernel, channel) as other:
            for frames in messages * 2:  # not "replayed": the memory is not filled with them
                other.send_multipart(frames)
            assert wait_for(client, channel, len(messages) * 2) == {"reflected": len(messages) * 2}
    assert client.text("print('alive')") == "alive\n"


def test_an_execute_request_on_control(start_kernel: Any, connect: Any) -> None:
    client = connect(kernel := start_kernel())
    _, frames = client.message("execute_request", {"code": TRACE})
    for channel in ("control", "stdin"):
        with stranger(client, kernel, channel) as other:
            other.send_multipart(frames)  # withheld from shell, delivered elsewhere
            wait_for(client, channel, 1)
    assert client.rejected("control") == {"refused": 1}
    assert client.rejected("stdin") == {"replayed": 1}
    client.shell.send_multipart(frames)
    assert wait_for(client, "shell", 1) == {"replayed": 1}
    assert traces(kernel) == 0


def mark(buffers: list[bytes]) -> bytes:
    sizes = b"".join(n.to_bytes(8, "big") for n in (len(buffers), *map(len, buffers)))
    digest = hashlib.sha256(sizes + b"".join(buffers)).hexdigest()
    return json.dumps({"minikernel": {"buffers_sha256": digest}}).encode()


def test_signed_buffers(start_kernel: Any, connect: Any) -> None:
    client = connect(kernel := start_kernel())
    buffers = [b"one", b"two", b""]
    attacks = [
        [b"One", b"two", b""],
        [b"two", b"one", b""],
        [b"one", b"two"],
        [b"onet", b"wo", b""],
        [*buffers, b""],
        [*buffers, b"three"],
        [],
    ]
    for changed in [*attacks, buffers]:
        header, content = client.header("execute_request"), {"code": TRACE}
        client.shell.send_multipart(
            client.sign(
                json.dumps(header).encode(),
                b"{}",
                mark(buffers),
                json.dumps(content).encode(),
                *changed,
            )
        )
    assert client.reply(client.shell, header["msg_id"])["content"]["status"] == "ok"
    assert client.rejected("shell") == {"bad signature": len(attacks)}
    assert traces(kernel) == 1
    assert client.request(client.shell, "kernel_info_request")["status"] == "ok"


def now(offset: float = 0) -> str:
    return datetime.fromtimestamp(time.time() + offset, timezone.utc).isoformat()


def test_max_age(start_kernel: Any, connect: Any) -> None:
    client = connect(kernel := start_kernel("--max-age", "100"))
    dates = [now(-1000), now(1000), "2001-01-01T00:00:00Z", "", "nonsense", None]
    for date in dates:
        msg_id, frames = client.message("execute_request", {"code": TRACE}, date=date)
        client.shell.send_multipart(frames)
        reply = client.reply(client.shell, msg_id)
        assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "Stale")
        kinds = [m["content"]["execution_state"] for m in client.outputs(msg_id)]
        assert kinds == ["busy"]
    assert traces(kernel) == 0
    for channel in ("shell", "control"):
        socket = getattr(client, channel)
        msg_id, frames = client.message("kernel_info_request", {}, date=now())
        socket.send_multipart(frames)
        assert client.reply(socket, msg_id)["content"]["status"] == "ok"


@pytest.mark.parametrize("offset", [-10 * 365 * 86400, 10 * 365 * 86400])
def test_a_client_with_a_wrong_clock(kernel: KernelProcess, client: RawClient, offset: int) -> None:
    msg_id, frames = client.message("execute_request", {"code": "1"}, date=now(offset))
    client.shell.send_multipart(frames)
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    assert kernel.terminal == ""


def test_500_requests_queued_while_a_cell_runs(kernel: KernelProcess, client: RawClient) -> None:
    code = (
        "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\ndone = []"
    )
    first = client.send(client.shell, "execute_request", code=code)
    ids = [
        client.send(client.shell, "execute_request", code=f"done.append({i})") for i in range(500)
    ]
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    (kernel.file.parent / "go").touch()
    for msg_id in (first, *ids):
        reply = client.receive(client.shell)
        assert reply["parent_header"]["msg_id"] == msg_id
        assert reply["content"]["status"] == "ok"
    assert client.text("print(done == list(range(500)))") == "True\n"
    assert client.rejected("shell") == {}


def test_a_client_reconnects_with_the_same_identity(
    kernel: KernelProcess, client: RawClient
) -> None:
    for name, kind in (("shell", zmq.DEALER), ("control", zmq.DEALER), ("stdin", zmq.DEALER)) * 3:
        getattr(client, name).close()
        setattr(client, name, client.connect(kind, name))
        assert client.request(client.shell, "kernel_info_request")["status"] == "ok"
        assert client.request(client.control, "kernel_info_request")["status"] == "ok"
        msg_id = client.send(client.shell, "execute_request", code="print(input())")
        assert client.receive(client.stdin)["header"]["msg_type"] == "input_request"
        client.send(client.stdin, "input_reply", value=name)
        assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    assert kernel.terminal == ""


def test_a_client_reconnects_while_its_cell_runs(kernel: KernelProcess, client: RawClient) -> None:
    msg_id = client.send(client.shell, "execute_request", code="print(input())")
    assert client.receive(client.stdin)["header"]["msg_type"] == "input_request"
    client.shell.close()
    client.shell = client.connect(zmq.DEALER, "shell")
    probe = client.send(client.shell, "kernel_info_request")
    client.send(client.stdin, "input_reply", value="late")
    client.reply(client.shell, probe)
    texts = [m["content"].get("text") for m in client.outputs(msg_id)]
    assert "late\n" in texts
    assert kernel.terminal == ""


def test_two_clients_at_the_same_time(
    kernel: KernelProcess, client: RawClient, connect: Any
) -> None:
    clients = [client, connect(kernel)]
    sent = [
        (c, c.send(c.shell, "execute_request", code=f"print({i}, {c.session!r})"))
        for i in range(100)
        for c in clients
    ]
    for c, msg_id in sent:
        reply = c.receive(c.shell)
        assert reply["parent_header"]["msg_id"] == msg_id
    for c, msg_id in sent:
        texts = [m["content"].get("text", "") for m in c.outputs(msg_id)]
        assert sum(c.session in text for text in texts) == 1
    asked = clients[0].send(clients[0].shell, "execute_request", code="print(input())")
    question = clients[0].receive(clients[0].stdin)
    clients[1].send(clients[1].stdin, "input_reply", value="not mine")
    assert wait_for(clients[1], "stdin", 1) == {"not asked": 1}
    _, frames = clients[0].message("input_reply", {"value": "mine"}, question["header"])
    clients[0].stdin.send_multipart(frames)
    assert clients[0].reply(clients[0].shell, asked)["content"]["status"] == "ok"
    texts = [m["content"].get("text") for m in clients[0].outputs(asked)]
    assert "mine\n" in texts


def test_without_guards_another_message_on_stdin_is_no_answer(
    start_kernel: Callable[..., KernelProcess], connect: Callable[..., RawClient]
) -> None:
    client = connect(start_kernel("--guards", "off"))
    client.send(client.shell, "execute_request", code="print(input())", allow_stdin=True)
    client.receive(client.stdin)
    client.send(client.stdin, "execute_request", code="1")
    assert wait_for(client, "stdin", 1) == {"not asked": 1}
