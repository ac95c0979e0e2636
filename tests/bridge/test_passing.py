"""ipykernel behind a bridge: what passes, to whom, and what an interrupt does."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from minikernel.transport import connection
from tests.bridge.protected import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient

ECHO = """
from ipykernel.comm import Comm
from comm import get_comm_manager
def opened(comm, message):
    comm.on_msg(lambda m: comm.send(m["content"]["data"], buffers=m["buffers"]))
get_comm_manager().register_target("echo", opened)
"""
TIGHT = "while True: pass"
SLEEP = "import time; time.sleep(600)"
CHILD = "import subprocess; subprocess.run(['sleep', '600'])"
ASKS = "input('?')"
PRINTS = "print(input('?'))"


@pytest.fixture
def client(protected: Protected, connect: Callable[..., RawClient]) -> RawClient:
    return connect(protected)


@pytest.fixture
def other(protected: Protected, connect: Callable[..., RawClient]) -> RawClient:
    return connect(protected)


def test_a_cell_and_its_outputs(client: RawClient) -> None:
    reply, outputs = client.execute("print('a'); 6 * 7")
    assert reply["status"] == "ok"
    assert [m["header"]["msg_type"] for m in outputs] == [
        "status",
        "execute_input",
        "stream",
        "execute_result",
    ]
    assert outputs[-1]["content"]["data"]["text/plain"] == "42"


def without_tip(info: dict[str, Any]) -> dict[str, Any]:
    """IPython's banner ends with one of many tips."""
    return {**info, "banner": info["banner"].partition("Tip:")[0]}


def test_kernel_info_is_the_kernels(
    client: RawClient, tmp_path: Path, connect: Callable[..., RawClient]
) -> None:
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="k"
    )
    connection.write(tmp_path / "bare.json", fields)
    code = f"""
import os, subprocess, sys
print(subprocess.Popen(
    [sys.executable, "-m", "ipykernel_launcher", "-f", {str(tmp_path / "bare.json")!r}]).pid)
"""
    pid = int(client.text(code))
    try:
        wait_until(lambda: json.loads((tmp_path / "bare.json").read_text())["hb_port"])
        bare = connect(type("Bare", (), {"info": json.loads((tmp_path / "bare.json").read_text())}))
        expected = without_tip(bare.request(bare.control, "kernel_info_request"))
    finally:
        os.kill(pid, signal.SIGKILL)
    for socket in (client.shell, client.control):
        assert without_tip(client.request(socket, "kernel_info_request")) == expected
    assert "kernel subshells" in expected["supported_features"]


def test_buffers_of_a_comm(client: RawClient) -> None:
    client.execute(ECHO)
    client.outputs(client.send(client.shell, "comm_open", comm_id="1", target_name="echo", data={}))
    buffers = [b"", b"\0\xff", os.urandom(3 << 20)]
    msg_id, frames = client.message("comm_msg", {"comm_id": "1", "data": {"n": 1}})
    client.shell.send_multipart([*frames, *buffers])
    (echo,) = (m for m in client.outputs(msg_id) if m["header"]["msg_type"] == "comm_msg")
    assert echo["buffers"] == buffers


def test_the_debugger_and_subshells_pass(client: RawClient) -> None:
    content = {"type": "request", "seq": 1, "command": "debugInfo"}
    reply = client.request(client.control, "debug_request", **content)
    assert (reply["success"], reply["body"]["isStarted"]) == (True, False)
    subshell = client.request(client.control, "create_subshell_request")["subshell_id"]
    running = client.send(client.shell, "execute_request", code=ASKS, allow_stdin=True)
    client.receive(client.stdin)
    msg_id, frames = client.message("execute_request", {"code": "1"}, subshell_id=subshell)
    client.shell.send_multipart(frames)
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    client.send(client.stdin, "input_reply", value="a")
    assert client.reply(client.shell, running)["content"]["status"] == "ok"
    client.request(client.control, "delete_subshell_request", subshell_id=subshell)


def test_queued_cells_are_aborted_after_an_error(client: RawClient) -> None:
    ids = [client.send(client.shell, "execute_request", code=c) for c in ("1/0", "1", "2")]
    assert [client.reply(client.shell, i)["content"]["status"] for i in ids] == [
        "error",
        "aborted",
        "aborted",
    ]
    wait_until(lambda: client.execute("3")[0]["status"] == "ok")


def test_each_client_is_asked_by_its_own_cells(
    protected: Protected, connect: Callable[..., RawClient]
) -> None:
    """Two front ends with one session id, as two tabs of a browser may have."""
    one, two = (connect(protected, session=s) for s in ("one", "two"))
    two.session = "one"
    for client, stranger in ((one, two), (two, one)):
        msg_id = client.send(client.shell, "execute_request", code=PRINTS, allow_stdin=True)
        assert client.receive(client.stdin)["content"]["prompt"] == "?"
        assert not stranger.stdin.poll(0)
        stranger.send(stranger.stdin, "input_reply", value="of a stranger")
        stranger.request(stranger.control, "kernel_info_request")  # it has come by now
        client.send(client.stdin, "input_reply", value="mine")
        assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
        texts = [m["content"].get("text") for m in client.outputs(msg_id)]
        assert "mine\n" in texts
        assert not stranger.shell.poll(0)


def test_another_request_with_a_msg_id_in_flight_is_refused(
    client: RawClient, other: RawClient
) -> None:
    """Else who knows the msg_id from iopub would get the question, and its answer."""
    msg_id = client.send(client.shell, "execute_request", code=PRINTS, allow_stdin=True)
    assert client.receive(client.stdin)["content"]["prompt"] == "?"
    for channel, msg_type in (("shell", "execute_request"), ("control", "kernel_info_request")):
        _, frames = other.message(msg_type, {"code": "1"}, msg_id=msg_id)
        socket = getattr(other, channel)
        socket.send_multipart(frames)
        reply = other.reply(socket, msg_id)
        assert reply["content"]["status"] == "error"
        assert "msg_id" in reply["content"]["evalue"]
    while client.iopub.poll(100):  # nor does the first one's cell look as if it were over
        assert client.receive(client.iopub)["content"].get("execution_state") != "idle"
    client.send(client.stdin, "input_reply", value="a secret")
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    assert not other.stdin.poll(0)
    assert not other.shell.poll(0)
    assert other.execute("1")[0]["status"] == "ok"


# Interrupts.


@pytest.fixture
def errors(client: RawClient) -> Iterator[Callable[[], int]]:
    """How many KeyboardInterrupts were shown, up to now."""

    def count() -> int:
        msg_id = client.send(client.shell, "execute_request", code="'after'")
        assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
        found = 0
        while (message := client.receive(client.iopub))["parent_header"].get("msg_id") != msg_id:
            found += message["content"].get("ename") == "KeyboardInterrupt"
        client.outputs(msg_id)
        return found

    return count


def begin(client: RawClient, code: str) -> str:
    """Run a cell as far as to its first output; its msg_id."""
    msg_id = client.send(
        client.shell, "execute_request", code=f"print('begun')\n{code}", allow_stdin=True
    )
    while client.receive(client.iopub)["content"].get("text") != "begun\n":
        pass
    if "input" in code:
        client.receive(client.stdin)
    return msg_id


@pytest.mark.parametrize("code", [TIGHT, SLEEP, CHILD, ASKS])
@pytest.mark.parametrize("channel", ["control", "shell"])
def test_an_interrupt_request_interrupts_once(
    client: RawClient, errors: Callable[[], int], code: str, channel: str
) -> None:
    msg_id = begin(client, code)
    socket = getattr(client, channel)
    asked = client.send(socket, "interrupt_request")
    replies = {}
    for _ in range(2 if channel == "shell" else 1):
        message = client.receive(client.shell)
        replies[message["parent_header"]["msg_id"]] = message["content"]
    if channel == "control":
        replies[asked] = client.reply(client.control, asked)["content"]
    assert replies[msg_id]["ename"] == "KeyboardInterrupt"
    assert replies[asked] == {"status": "ok"}
    assert errors() == 1


def test_two_interrupts_in_a_row_are_two(client: RawClient, errors: Callable[[], int]) -> None:
    for _ in range(2):
        msg_id = begin(client, SLEEP)
        assert client.request(client.control, "interrupt_request") == {"status": "ok"}
        assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"
        assert errors() == 1


def test_queued_cells_after_an_interrupt_are_aborted(client: RawClient) -> None:
    first = begin(client, SLEEP)
    second = client.send(client.shell, "execute_request", code="1")
    client.request(client.control, "interrupt_request")
    assert client.reply(client.shell, first)["content"]["ename"] == "KeyboardInterrupt"
    assert client.reply(client.shell, second)["content"]["status"] == "aborted"
    wait_until(lambda: client.execute("3")[0]["status"] == "ok")


def test_busy_and_idle_go_around_an_interrupt(client: RawClient) -> None:
    msg_id = client.send(client.control, "interrupt_request")
    assert client.reply(client.control, msg_id)["content"] == {"status": "ok"}
    (busy,) = client.outputs(msg_id)
    assert busy["content"] == {"execution_state": "busy"}


# The heartbeat.


def test_the_heartbeat_is_the_kernels(protected: Protected, client: RawClient) -> None:
    beat = client.connect(zmq.REQ, "hb")
    beat.send(b"ping")
    assert beat.poll(PATIENCE * 1000)
    assert beat.recv() == b"ping"
    kernel = protected.kernel
    kernel.suspend()
    try:
        beat.send(b"and now?")
        wait_until(lambda: any("is stopped" in line for line in protected.said))
        assert not beat.poll(0)
        assert protected.process.poll() is None
    finally:
        kernel.resume()
    assert beat.poll(PATIENCE * 1000)
    assert beat.recv() == b"and now?"
    beat.close()
    wait_until(lambda: any("goes on" in line for line in protected.said))
    assert client.execute("1")[0]["status"] == "ok"


# Sizes.


def amounts(client: RawClient, *, outputs: int, text: int) -> None:
    """Outputs of a cell, all of them and in order; one large one."""
    msg_id = client.send(
        client.shell,
        "execute_request",
        code="from IPython.display import publish_display_data as p\n"
        f"for i in range({outputs}): p({{'text/plain': str(i)}})",
    )
    found = [
        int(m["content"]["data"]["text/plain"])
        for m in client.outputs(msg_id)
        if m["header"]["msg_type"] == "display_data"
    ]
    assert found == list(range(outputs))
    client.reply(client.shell, msg_id)
    assert len(client.text(f"print('a' * {text})")) == text + 1


def test_many_outputs_and_a_large_one(client: RawClient) -> None:
    amounts(client, outputs=3000, text=5_000_000)


@pytest.mark.slow
def test_very_many_outputs(client: RawClient) -> None:
    amounts(client, outputs=100_000, text=1)


@pytest.mark.slow
def test_very_large_messages(protected: Protected, client: RawClient) -> None:
    amounts(client, outputs=1, text=50_000_000)
    client.execute(ECHO)
    client.outputs(client.send(client.shell, "comm_open", comm_id="2", target_name="echo", data={}))
    buffers = [os.urandom(1 << 20) * 100]
    msg_id, frames = client.message("comm_msg", {"comm_id": "2", "data": {}})
    client.shell.send_multipart([*frames, *buffers])
    (echo,) = (m for m in client.outputs(msg_id) if m["header"]["msg_type"] == "comm_msg")
    assert echo["buffers"] == buffers
    assert protected.process.poll() is None


def test_what_the_kernel_can_not_take_yet_waits_at_its_sender(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    """More requests than a kernel's queue holds; each is answered, in order."""
    client = connect(protect("minikernel"))  # ipykernel itself loses its way in a long queue
    blocking = client.send(client.shell, "execute_request", code=ASKS, allow_stdin=True)
    client.receive(client.stdin)
    ids = [client.send(client.shell, "is_complete_request", code="1") for _ in range(4000)]
    client.send(client.stdin, "input_reply", value="go on")
    assert client.reply(client.shell, blocking)["content"]["status"] == "ok"
    for msg_id in ids:
        assert client.receive(client.shell)["parent_header"]["msg_id"] == msg_id
