"""A request type more is a function and a row; what takes long on control holds up nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import RawClient

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "cells_request.py"
ROWS = """
import threading
from minikernel.kernel.handlers import HANDLERS, Answer, aside
from minikernel.wire.channels import Channel
from minikernel.wire.content import ok

go = threading.Event()

def greet(parts, message):
    print("said by a handler")
    return ok(greeting=f"hello {message.content['name']}")

async def slow(parts, message):
    return ok(found=await aside(go.wait))

async def failing(parts, message):
    return ok(found=await aside(lambda: 1 / 0))

async def unsendable(parts, message):
    return ok(found=await aside(object))

HANDLERS[Channel.SHELL, "greet_request"] = greet
HANDLERS[Channel.CONTROL, "usage_request"] = slow
HANDLERS[Channel.CONTROL, "debug_request"] = failing
HANDLERS[Channel.CONTROL, "list_subshell_request"] = unsendable
"""


def test_the_example_of_the_documents(client: RawClient) -> None:
    client.execute(EXAMPLE.read_text())
    before = client.request(client.shell, "cells_request")["count"]
    client.execute("1")
    assert client.request(client.shell, "cells_request") == {"status": "ok", "count": before + 1}


def test_a_row_of_shell(client: RawClient) -> None:
    client.execute(ROWS)
    msg_id = client.send(client.shell, "greet_request", name="Ada")
    reply = client.reply(client.shell, msg_id)
    assert reply["header"]["msg_type"] == "greet_reply"
    assert reply["content"] == {"status": "ok", "greeting": "hello Ada"}
    client.outputs(msg_id)


def test_a_handler_of_control_that_takes_long(client: RawClient) -> None:
    """Meanwhile control answers, input() is asked and answered, and a cell can be interrupted."""
    client.execute(ROWS)
    slow = client.send(client.control, "usage_request")
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    cell = client.send(client.shell, "execute_request", code="print(input('name? '))")
    assert client.receive(client.stdin)["content"]["prompt"] == "name? "
    client.send(client.stdin, "input_reply", value="Ada")
    assert client.reply(client.shell, cell)["content"]["status"] == "ok"
    client.outputs(cell)
    code = "import threading\nprint(flush=True)\nthreading.Event().wait()"
    cell = client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["header"]["msg_type"] != "stream":
        pass
    assert client.request(client.control, "interrupt_request")["status"] == "ok"
    assert client.reply(client.shell, cell)["content"]["ename"] == "KeyboardInterrupt"
    assert not client.control.poll(0)
    client.execute("go.set()")
    assert client.reply(client.control, slow)["content"] == {"status": "ok", "found": True}


def test_busy_and_idle_go_around_what_is_done_aside(client: RawClient) -> None:
    client.execute(f"{ROWS}\ngo.set()")
    msg_id = client.send(client.control, "usage_request")
    assert [m["content"] for m in client.outputs(msg_id)] == [{"execution_state": "busy"}]
    assert client.reply(client.control, msg_id)["content"]["found"] is True


def test_a_handler_that_fails_aside(client: RawClient) -> None:
    client.execute(ROWS)
    for msg_type, name in (
        ("debug_request", "InternalError"),
        ("list_subshell_request", "TypeError"),
    ):
        reply = client.request(client.control, msg_type)
        assert (reply["status"], reply["ename"]) == ("error", name)
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
