"""What each right of an invitation allows under channel-hmac, as an independent client sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from independent_stage import rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

    Connect = Callable[..., IndependentClient]

FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
ALL = 255
OBSERVE, EXECUTE, INTROSPECT, ANSWER, INTERRUPT, SHUT_DOWN, COMMS, DEBUG = (
    1 << bit for bit in range(8)
)
REQUESTS: dict[int, tuple[str, str, dict[str, Any]]] = {
    EXECUTE: ("shell", "execute_request", {"code": "open('executed', 'w')"}),
    INTROSPECT: ("shell", "complete_request", {"code": "pri", "cursor_pos": 3}),
    INTERRUPT: ("control", "interrupt_request", {}),
    SHUT_DOWN: ("control", "shutdown_request", {"restart": False}),
    DEBUG: ("control", "debug_request", {}),
}
INTROSPECTIONS: dict[str, dict[str, Any]] = {
    "complete_request": {"code": "pri", "cursor_pos": 3},
    "inspect_request": {"code": "print", "cursor_pos": 5, "detail_level": 0},
    "is_complete_request": {"code": "1"},
    "history_request": {"output": False, "raw": True, "hist_access_type": "tail", "n": 1},
    "comm_info_request": {},
}


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    return start_kernel(**FIELDS)


OTHERS = [
    (SHUT_DOWN, "shell", "shutdown_request"),
    *((DEBUG, "control", f"{verb}_subshell_request") for verb in ("create", "delete", "list")),
]


@pytest.mark.parametrize("right", REQUESTS)
def test_a_right_and_no_other(kernel: KernelProcess, independent: Connect, right: int) -> None:
    guest = independent(kernel, "alice", right)
    guest.join()
    for other, (channel, msg_type, content) in REQUESTS.items():
        if other != right:
            refused(guest, channel, msg_type, content)
    channel, msg_type, content = REQUESTS[right]
    reply = guest.request(channel, msg_type, content)
    assert reply.get("ename") != "PermissionError"
    assert (kernel.file.parent / "executed").exists() == (right == EXECUTE)


@pytest.mark.parametrize("right", REQUESTS)
def test_all_rights_but_one(kernel: KernelProcess, independent: Connect, right: int) -> None:
    guest = independent(kernel, "alice", ALL & ~right)
    guest.join()
    refused(guest, *REQUESTS[right])
    assert guest.request("shell", "kernel_info_request")["status"] == "ok"
    assert not (kernel.file.parent / "executed").exists()
    if right != EXECUTE:
        assert guest.execute("1")[0]["status"] == "ok"


@pytest.mark.parametrize(("right", "channel", "msg_type"), OTHERS)
def test_other_ways_to_the_same(
    kernel: KernelProcess, independent: Connect, right: int, channel: str, msg_type: str
) -> None:
    guest = independent(kernel, "alice", ALL & ~right)
    guest.join()
    refused(guest, channel, msg_type, {})
    assert guest.execute("1")[0]["status"] == "ok"


def refused(guest: IndependentClient, channel: str, msg_type: str, content: Any) -> None:
    msg_id = guest.send(channel, msg_type, content)
    reply = guest.reply(channel, msg_id)
    assert reply["header"]["msg_type"] == msg_type.replace("_request", "_reply")
    assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "PermissionError")
    if guest.rights & OBSERVE:
        guest.welcomed()
        assert not [m for m in guest.inbox["iopub"] if m["parent_header"].get("msg_id") == msg_id]


@pytest.mark.parametrize("msg_type", INTROSPECTIONS)
def test_introspection_of_each_kind(
    kernel: KernelProcess, independent: Connect, msg_type: str
) -> None:
    content = INTROSPECTIONS[msg_type]
    guest = independent(kernel, "alice", ALL & ~INTROSPECT)
    guest.join()
    refused(guest, "shell", msg_type, content)
    allowed = independent(kernel, "alice", INTROSPECT)
    allowed.join()
    assert allowed.request("shell", msg_type, content)["status"] in {"ok", "complete"}


@pytest.mark.parametrize("rights", [1 << bit for bit in range(8)])
def test_what_is_always_allowed(kernel: KernelProcess, independent: Connect, rights: int) -> None:
    guest = independent(kernel, "alice", rights)
    assert guest.join()["status"] == "ok"
    guest.bound()
    for channel in ("shell", "control"):
        assert guest.request(channel, "kernel_info_request")["status"] == "ok"
    assert guest.request("control", "auth_status_request")["status"] == "ok"
    guest.ping()


def test_without_the_right_to_observe_iopub_has_no_tags(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guest = independent(kernel, "alice", ALL & ~OBSERVE)
    guest.join()
    while not guest.untagged:
        client.execute("1")
        guest.pump("iopub", 0.1)
    assert not guest.inbox["iopub"]
    msg_id = guest.send("shell", "execute_request", {"code": "1"})
    assert guest.reply("shell", msg_id)["content"]["status"] == "ok"
    assert guest.verified["iopub"] == 0


def test_an_observer_sees_what_others_do(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guest = independent(kernel, "alice", OBSERVE)
    guest.join()
    msg_id = client.send("shell", "execute_request", {"code": "print('shown')"})
    shown = guest.take(
        "iopub",
        lambda m: (
            m["header"]["msg_type"] == "stream" and m["parent_header"].get("msg_id") == msg_id
        ),
    )
    assert shown["content"]["text"] == "shown\n"


def test_without_the_right_to_answer_nobody_is_asked(
    kernel: KernelProcess, independent: Connect
) -> None:
    guest = independent(kernel, "alice", ALL & ~ANSWER)
    guest.join()
    msg_id = guest.send("shell", "execute_request", {"code": "input('name? ')"})
    assert guest.reply("shell", msg_id, 2)["content"]["status"] == "error"


def test_an_answer_without_its_right_is_not_taken(
    kernel: KernelProcess, independent: Connect
) -> None:
    guest = independent(kernel, "alice", ALL & ~ANSWER)
    guest.join()
    code = "try:\n    input('name? ')\nexcept BaseException as e:\n    print(type(e))"
    msg_id = guest.send("shell", "execute_request", {"code": code})
    guest.output(msg_id, "execute_input")
    guest.send("stdin", "input_reply", {"value": "no"}, parent={"msg_id": msg_id})
    assert guest.reply("shell", msg_id)["content"]["status"] == "ok"
    assert guest.output(msg_id, "stream")["content"]["text"].startswith("<class")
    guest.bound()  # by now stdin has had its turn
    while not (counted := rejected(guest, "stdin")):
        assert guest.ping()
    assert counted == {"refused": 1}


def test_comms_need_their_right(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guest = independent(kernel, "alice", ALL & ~COMMS)
    guest.join()
    content = {"comm_id": "c", "target_name": "none", "data": {}}
    before = client.request("control", "auth_status_request")["channels"]["shell"]["rejected"]
    opened = guest.send("shell", "comm_open", content)
    guest.request("shell", "kernel_info_request")
    after = client.request("control", "auth_status_request")["channels"]["shell"]["rejected"]
    assert after.get("refused", 0) - before.get("refused", 0) == 1
    msg_id = client.send("shell", "comm_open", content)
    client.outputs(msg_id)
    guest.take("iopub", lambda m: m["parent_header"].get("msg_id") == msg_id)
    assert not [m for m in guest.inbox["iopub"] if m["parent_header"].get("msg_id") == opened]
