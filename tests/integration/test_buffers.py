"""Buffers through a kernel, in both directions: all sizes, kinds, and moments."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.protocol.marks import buffers_digest
from minikernel.transport.sockets import LARGE

if TYPE_CHECKING:
    from tests.conftest import RawClient

PATIENCE = 20
SIZES = (0, 1, 1000, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE)
OPEN = """
import comm, hashlib
def opened(channel, _):
    @channel.on_msg
    def take(message):
        for view in message["buffers"]:
            kind = (type(view).__name__, view.format, view.readonly)
            print(*kind, view.nbytes, hashlib.sha256(view).hexdigest(), flush=True)
comm.get_comm_manager().register_target("here", opened)
channel = comm.create_comm(target_name="nowhere")
"""


@pytest.fixture
def opened(client: RawClient) -> RawClient:
    assert client.execute(OPEN)[0]["status"] == "ok"
    content = {"comm_id": "c", "target_name": "here", "data": {}}
    client.outputs(client.send(client.shell, "comm_open", **content))
    return client


def sent(client: RawClient, code: str) -> dict[str, Any]:
    """The comm message of a cell, whose buffers have the digest that it says."""
    reply, outputs = client.execute(code)
    assert reply["status"] == "ok", reply
    (message,) = [m for m in outputs if m["header"]["msg_type"] == "comm_msg"]
    signed = message["metadata"]["minikernel"]["buffers_sha256"]
    assert signed == buffers_digest(message["buffers"])
    return message


def test_buffers_of_all_sizes_to_the_kernel(opened: RawClient) -> None:
    buffers = [os.urandom(size) for size in SIZES]
    msg_id, frames = opened.message("comm_msg", {"comm_id": "c", "data": {}})
    opened.shell.send_multipart([*frames, *buffers])
    outputs = opened.outputs(msg_id)
    found = "".join(m["content"].get("text", "") for m in outputs).splitlines()
    digests = [hashlib.sha256(buffer).hexdigest() for buffer in buffers]
    assert found == [
        f"memoryview B True {size} {digest}" for size, digest in zip(SIZES, digests, strict=True)
    ]


def test_large_frames_that_are_no_buffers(opened: RawClient) -> None:
    """The place in a message says what a frame is, and identities move it."""
    text = "#" * (2 * LARGE)
    for route in ([], [b"a"], [b"a", b"b"], [b"i" * LARGE] * 9):
        msg_id, frames = opened.message("execute_request", {"code": f"print(7) {text}"})
        opened.shell.send_multipart([*route, *frames])
        assert [m["content"]["text"] for m in opened.outputs(msg_id) if "text" in m["content"]] == [
            "7\n"
        ]


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "Later"])
def test_buffers_of_all_sizes_from_the_kernel(opened: RawClient, kind: str) -> None:
    later = "def Later(data): return memoryview(bytearray(data)).toreadonly()"
    code = f"{later}\nchannel.send({{}}, buffers=[{kind}(bytes([7]) * n) for n in {SIZES}])"
    assert sent(opened, code)["buffers"] == [b"\7" * size for size in SIZES]


def test_what_is_done_to_a_buffer_later_changes_no_message(opened: RawClient) -> None:
    code = (
        f"buffer = bytearray(b'a' * {3 * LARGE})\n"
        "view = memoryview(bytes(buffer))\n"
        "channel.send({}, buffers=[buffer, view])\n"
        "buffer[:] = b'b' * len(buffer); view.release(); del view"
    )
    assert sent(opened, code)["buffers"] == [b"a" * (3 * LARGE)] * 2


def test_a_buffer_with_gaps_is_an_error_of_the_cell(opened: RawClient) -> None:
    for size in (4, 4 * LARGE):
        code = f"channel.send({{}}, buffers=[memoryview(bytes({size}))[::2]])"
        reply, outputs = opened.execute(code)
        assert (reply["status"], reply["ename"]) == ("error", "BufferError")
        assert [m["header"]["msg_type"] for m in outputs][-1] == "error"
    assert sent(opened, "channel.send({}, buffers=[b'x'])")["buffers"] == [b"x"]


@pytest.mark.parametrize("before", ["", f"channel.send({{}}, buffers=[bytes({LARGE})])"])
def test_no_descriptor_is_left(opened: RawClient, before: str) -> None:
    if before:
        sent(opened, before)
    code = (
        "import os, resource\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (80, hard))\n"
        "held = []\n"
        "try:\n"
        "    while True: held.append(os.dup(0))\n"
        "except OSError: pass\n"
        f"channel.send({{}}, buffers=[bytes({2 * LARGE})])\n"
        "for one in held: os.close(one)"
    )
    assert sent(opened, code)["buffers"] == [bytes(2 * LARGE)]


def test_a_kernel_ends_while_it_sends_a_large_buffer(kernel: Any, opened: RawClient) -> None:
    """What is in flight stays where it is until libzmq lets go of it."""
    code = (
        "import os, signal\n"
        f"channel.send({{}}, buffers=[bytes({100 * LARGE})])\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    opened.send(opened.shell, "execute_request", code=code)
    assert kernel.process.wait(PATIENCE) == 0
