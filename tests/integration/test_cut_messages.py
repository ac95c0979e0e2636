"""Messages on iopub that libzmq hands over without their end harm nobody.

The control thread reads iopub's subscriptions, and has to live: newcomers, interrupts, input().
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.zmtp import connected, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import KernelProcess, RawClient

SHAPES = {
    "a frame, and an unsubscription": [b"x", b"\0topic"],
    "nothing, and an unsubscription": [b"", b"\0"],
    "a subscription with more": [b"\1topic", b"x", b"\0another", b"y"],
    "an unsubscription with more": [b"\0topic", b"x", b"\0another"],
    "subscriptions within a message": [b"x", b"\1topic", b"\0topic"],
    "many frames": [b"x"] * 20_000 + [b"\0topic"],
    "frames that are too large": [b"x" * 1000] * 100 + [b"\0topic"],
}


def all_is_well(kernel: KernelProcess, client: RawClient, connect: Callable[..., Any]) -> None:
    assert kernel.process.poll() is None, kernel.terminal
    newcomer = connect(kernel)  # is greeted
    assert newcomer.text("print(6 * 7)") == "42\n"
    question = client.send(client.shell, "execute_request", code="input('?')")
    client.receive(client.stdin)
    client.send(client.stdin, "input_reply", value="an answer")
    assert client.reply(client.shell, question)["content"]["status"] == "ok"
    client.outputs(question)
    code = "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.01)"
    endless = client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["content"].get("text") != "begun\n":
        pass
    assert client.request(client.control, "interrupt_request")["status"] == "ok"
    assert client.reply(client.shell, endless)["content"]["ename"] == "KeyboardInterrupt"
    assert kernel.terminal == ""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cut_message(
    kernel: KernelProcess, client: RawClient, connect: Callable[..., Any], shape: str
) -> None:
    before = client.rejected("iopub").get("framing", 0)
    stranger = connected(kernel.info["iopub_port"], "SUB")
    for _ in range(4):
        stranger.send(message(SHAPES[shape]))
    while client.rejected("iopub").get("framing", 0) <= before:
        assert kernel.process.poll() is None, kernel.terminal
    stranger.close()
    all_is_well(kernel, client, connect)


@pytest.mark.parametrize("named", [[1], {"x": 1}, [[]], 5, "another", True])
def test_an_answer_that_names_its_question_by_what_is_no_name(
    kernel: KernelProcess, client: RawClient, named: Any
) -> None:
    msg_id = client.send(client.shell, "execute_request", code="print(input('?'))")
    client.receive(client.stdin)
    _, frames = client.message("input_reply", {"value": "wrong"}, parent={"msg_id": named})
    client.stdin.send_multipart(frames)
    client.send(client.stdin, "input_reply", value="right")
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    assert "right\n" in [m["content"].get("text") for m in client.outputs(msg_id)]
    assert "internal error" not in client.rejected("stdin")
    assert kernel.process.poll() is None


@pytest.mark.parametrize("depth", [5000, 200_000])
@pytest.mark.parametrize("leaf", ["1", "NaN", '"\\ud800"'])
@pytest.mark.parametrize("frame", range(4))
def test_deep_nesting_where_a_cell_has_raised_the_limit_of_recursion(
    kernel: KernelProcess, client: RawClient, *, frame: int, leaf: str, depth: int
) -> None:
    client.text("import sys; sys.setrecursionlimit(10**6)")
    frames = client.message("kernel_info_request", {})[1][2:]
    more = '"x": ' + "[" * depth + leaf + "]" * depth + "}"
    opening = frames[frame][:-1].decode()
    frames[frame] = (opening + ", " * (len(opening) > 1) + more).encode()
    client.control.send_multipart(client.sign(*frames))
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    client.text("sys.setrecursionlimit(1000)")
    assert kernel.process.poll() is None
    assert Path(kernel.file).exists()
