"""What is refused at the front, and how: nothing of it reaches the kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from tests.bridge.protected import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient

DEFINE = "ran = []"
SHOW = "print(ran)"


@pytest.fixture
def client(protected: Protected, connect: Callable[..., RawClient]) -> RawClient:
    return connect(protected)


def refused(protected: Protected, reason: str) -> bool:
    """Whether the bridge has said so; at most a line a second."""
    return any(f"refused, {reason};" in line for line in protected.said)


def test_a_forgery_does_not_reach_the_kernel(protected: Protected, client: RawClient) -> None:
    client.execute(DEFINE)
    _, frames = client.message("execute_request", {"code": "ran.append(1)"})
    frames[1] = b"0" * 64
    client.shell.send_multipart(frames)
    assert client.text(SHOW) == "[]\n"
    wait_until(lambda: _again(client, frames, protected, "bad signature"))


def _again(client: RawClient, frames: list[bytes], protected: Protected, reason: str) -> bool:
    client.shell.send_multipart(frames)
    return refused(protected, reason)


def test_a_replay_does_not_reach_the_kernel(protected: Protected, client: RawClient) -> None:
    client.execute(DEFINE)
    _, frames = client.message("execute_request", {"code": "ran.append(1)"})
    for _ in range(3):
        client.shell.send_multipart(frames)
    assert client.text(SHOW) == "[1]\n"
    client.control.send_multipart(frames)
    client.request(client.control, "kernel_info_request")
    assert client.text(SHOW) == "[1]\n"
    wait_until(lambda: _again(client, frames, protected, "replayed"))


def test_what_the_kernel_says_does_not_come_back_as_a_request(
    protected: Protected, client: RawClient
) -> None:
    """A comm's message has one type in both directions."""
    client.execute(
        "from comm import get_comm_manager, create_comm\n"
        f"{DEFINE}\n"
        "comm = create_comm(target_name='t')\n"
        "comm.on_msg(lambda m: ran.append(1))"
    )
    msg_id = client.send(client.shell, "execute_request", code="comm.send({'a': 1})")
    while True:
        frames = client.iopub.recv_multipart()
        if b"comm_msg" in frames[3]:
            break
    client.outputs(msg_id)
    client.shell.send_multipart(frames[1:])
    assert client.text(SHOW) == "[]\n"
    wait_until(lambda: _again(client, frames[1:], protected, "reflected"))


@pytest.mark.parametrize(
    ("channel", "msg_type", "content"),
    [
        ("control", "execute_request", {"code": "ran.append(1)"}),
        ("shell", "debug_request", {"command": "attach"}),
        ("shell", "execute_request", {"code": 1}),
        ("shell", "complete_request", {"cursor_pos": []}),
    ],
)
def test_what_may_not_be_said_is_answered(
    client: RawClient, channel: str, msg_type: str, content: dict[str, Any]
) -> None:
    client.execute(DEFINE)
    msg_id = client.send(getattr(client, channel), msg_type, **content)
    reply = client.reply(getattr(client, channel), msg_id)
    assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "ContentError")
    (busy,) = client.outputs(msg_id)
    assert busy["content"] == {"execution_state": "busy"}
    assert client.text(SHOW) == "[]\n"


def test_no_frames_of_any_shape_end_the_bridge(protected: Protected, client: RawClient) -> None:
    for socket in (client.shell, client.control, client.stdin):
        for frames in ([b""], [b"<IDS|MSG>"], [b"a"] * 2000, [b"<IDS|MSG>", b"", b"{", b"}"]):
            socket.send_multipart(frames)
        for header in (b"[]", b"{", b"\xff", b'{"msg_id":1}', b'{"msg_id":"1","msg_type":"x"}'):
            socket.send_multipart(client.sign(header, b"null", b"[]", b"1"))
    subscriber = client.connect(zmq.SUB, "iopub", subscribe=b"a" * 100_000)
    assert client.execute("1")[0]["status"] == "ok"
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    assert protected.process.poll() is None
    subscriber.close()


def test_a_client_that_says_nothing_of_itself(protected: Protected, client: RawClient) -> None:
    """The few fields that the protocol asks for."""
    header = json.dumps({"msg_id": "1", "msg_type": "kernel_info_request"}).encode()
    client.shell.send_multipart(client.sign(header, b"{}", b"{}", b"{}"))
    assert client.reply(client.shell, "1")["content"]["status"] == "ok"
    assert protected.process.poll() is None
