"""Steps 7 and 8 of section 5 of channel-hmac: authentic, but not what it may say.

Such a message has spent its counter. Requests get a signed error reply; nothing else happens.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest
from independent_stage import BOUND, EXECUTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent_stage import Stage

    Change = Callable[[list[bytes]], list[bytes]]


pytestmark = pytest.mark.usefixtures("quiet")


CONNECTION_FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}


def refused(
    stage: Stage,
    channel: str,
    msg_id: str,
    frames: list[bytes],
    *,
    answer: str = "",
    reason: str = "refused",
) -> str:
    """Counted once, answered if it has an answer, its counter spent; the reply's ename."""
    client, before, ename = stage.client, stage.counts(), ""
    sealed = client.seal(channel, frames)
    client.raw(channel, sealed)
    assert stage.counted(before) == {(channel, reason): 1}
    if answer:
        reply = client.reply(channel, msg_id)
        assert (reply["header"]["msg_type"], reply["content"]["status"]) == (answer, "error")
        ename = reply["content"]["ename"]
    once = stage.counts()
    client.raw(channel, sealed)
    stage.probe(channel)
    assert stage.counted(once) == {(channel, "replayed counter"): 1}
    stage.quiet()
    return ename


# Step 7, JSON


BROKEN: dict[str, tuple[bool, Change]] = {
    "no JSON in the header": (False, lambda f: [b"{", *f[1:]]),
    "a list as header": (False, lambda f: [b"[]", *f[1:]]),
    "an empty header": (False, lambda f: [b"", *f[1:]]),
    "no msg_type": (False, lambda f: [f[0].replace(b"msg_type", b"msg_kind"), *f[1:]]),
    "no JSON in the parent": (True, lambda f: [f[0], b"{", *f[2:]]),
    "no JSON in the metadata": (True, lambda f: [*f[:2], b"{", f[3]]),
    "no JSON in the content": (True, lambda f: [*f[:3], b"{"]),
    "a list as content": (True, lambda f: [*f[:3], b"[]"]),
}


@pytest.mark.parametrize(("answered", "change"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_json_on_shell(stage: Stage, answered: bool, change: Change) -> None:
    msg_id, frames = stage.client.body("execute_request", EXECUTED)
    refused(stage, "shell", msg_id, change(frames), answer="execute_reply" if answered else "")


@pytest.mark.parametrize(("answered", "change"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_json_on_control(stage: Stage, answered: bool, change: Change) -> None:
    msg_id, frames = stage.client.body("interrupt_request")
    refused(stage, "control", msg_id, change(frames), answer="interrupt_reply" if answered else "")


@pytest.mark.parametrize("change", [c for _, c in BROKEN.values()], ids=BROKEN.keys())
def test_broken_json_on_stdin(stage: Stage, change: Change) -> None:
    msg_id, frames = stage.client.body("input_reply", {"value": "x"})
    refused(stage, "stdin", msg_id, change(frames))


# Step 8, the type


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        ("control", "execute_request"),
        ("control", "complete_request"),
        ("control", "history_request"),
        ("stdin", "execute_request"),
        ("stdin", "kernel_info_request"),
        ("stdin", "interrupt_request"),
        ("shell", "interrupt_request"),
        ("shell", "debug_request"),
        ("shell", "auth_status_request"),
    ],
)
def test_a_request_of_another_channel(stage: Stage, channel: str, kind: str) -> None:
    msg_id, frames = stage.client.body(kind, EXECUTED)
    refused(stage, channel, msg_id, frames, answer=kind.replace("_request", "_reply"))


KERNELS = ("execute_reply", "status", "stream", "input_reply", "comm_msg", "iopub_welcome")


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        (channel, kind)
        for channel in BOUND
        for kind in (
            "execute_reply",
            "status",
            "stream",
            "input_reply",
            "comm_msg",
            "iopub_welcome",
        )
        if (channel, kind) not in {("stdin", "input_reply"), ("shell", "comm_msg")}
    ],
)
def test_a_type_that_no_client_sends_there(stage: Stage, channel: str, kind: str) -> None:
    msg_id, frames = stage.client.body(kind, {"comm_id": "x", "data": {}})
    refused(stage, channel, msg_id, frames)


# Step 8, header.session


@pytest.mark.parametrize("channel", BOUND)
@pytest.mark.parametrize("whose", ["nobody's", "another client's", "empty", "the kernel's"])
def test_a_later_message_with_another_header_session(
    stage: Stage, channel: str, whose: str
) -> None:
    info = stage.client.send("shell", "kernel_info_request")
    names = {
        "nobody's": uuid.uuid4().hex,
        "another client's": stage.other.name,
        "empty": "",
        "the kernel's": stage.client.reply("shell", info)["header"]["session"],
    }
    kind = "execute_request" if channel == "shell" else "bind_request"
    msg_id, frames = stage.client.body(kind, EXECUTED, session=names[whose])
    client, before = stage.client, stage.counts()
    sealed = client.seal(channel, frames)
    client.raw(channel, sealed)
    assert stage.counted(before) == {(channel, "refused"): 1}
    reply = client.take(channel, lambda m: m["parent_header"].get("msg_id") == msg_id)
    assert reply["content"]["status"] == "error"
    stage.probe(channel)
    stage.quiet()


def test_a_first_message_with_the_header_session_of_another_client(stage: Stage) -> None:
    thief = stage.client.shake_hands()
    _, frames = stage.client.body("bind_request", session=stage.other.name)
    before = stage.counts()
    stage.client.old.append(thief)
    stage.client.raw("control", stage.client.seal("control", frames, session=thief))
    assert stage.counted(before) == {("control", "refused"): 1}
    reply = stage.client.take("control", lambda m: bool(m["to"] == thief.id))
    assert reply["content"]["status"] == "error"
    stage.probe("control")
    assert stage.other.execute("1")[0]["status"] == "ok"
    stage.quiet()


# Step 8, input_reply


def test_an_answer_that_nobody_asked_for(stage: Stage) -> None:
    msg_id, frames = stage.client.body("input_reply", {"value": "x"})
    refused(stage, "stdin", msg_id, frames, reason="not asked")


def test_an_answer_that_came_too_late(stage: Stage) -> None:
    asking = stage.client.send("shell", "execute_request", {"code": "input()"})
    question = stage.client.question(asking)
    stage.client.answer(question, "x")
    stage.client.reply("shell", asking)
    msg_id, frames = stage.client.body("input_reply", {"value": "y"}, parent=question["header"])
    refused(stage, "stdin", msg_id, frames, reason="not asked")


@pytest.mark.parametrize(
    "named", ["nothing", "the request", "another id", "the question, by another session"]
)
def test_an_answer_to_another_question(stage: Stage, named: str) -> None:
    client = stage.client
    asking = client.send("shell", "execute_request", {"code": "print(input('name? '))"})
    question = client.question(asking)
    sender = stage.other if "session" in named else client
    parent = {
        "nothing": {},
        "the request": question["parent_header"],
        "another id": {**question["header"], "msg_id": uuid.uuid4().hex},
    }.get(named, question["header"])
    before = stage.counts()
    sender.send("stdin", "input_reply", {"value": "wrong"}, parent=parent)
    assert stage.counted(before) == {("stdin", "not asked"): 1}
    client.answer(question, "right")
    assert client.reply("shell", asking)["content"]["status"] == "ok"
    assert client.output(asking, "stream")["content"]["text"] == "right\n"
    stage.probe("stdin")


def test_an_answer_under_the_name_of_the_one_who_was_asked(stage: Stage) -> None:
    client = stage.client
    asking = client.send("shell", "execute_request", {"code": "print(input('name? '))"})
    question, before = client.question(asking), stage.counts()
    content = {"value": "wrong"}
    stage.other.send("stdin", "input_reply", content, question["header"], session=client.name)
    assert stage.counted(before) == {("stdin", "refused"): 1}
    client.answer(question, "right")
    assert client.output(asking, "stream")["content"]["text"] == "right\n"
    assert client.reply("shell", asking)["content"]["status"] == "ok"
    stage.probe("stdin")
