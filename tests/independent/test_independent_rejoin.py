"""Shaking hands again and restarts of the kernel, as an independent client sees them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from independent_stage import rejected
from independent_wire import CHANNELS, DELIMITER, PING, TO_KERNEL, heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

    Connect = Callable[..., IndependentClient]

FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
HEARTBEAT = "hb"  # its name in the auth_status_reply
BOUND = ("shell", "control", "stdin")
LOST = pytest.mark.parametrize("reconnect", [False, True], ids=["same sockets", "new sockets"])


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    return start_kernel(**FIELDS)


def wait_for(client: IndependentClient, name: str) -> str:
    """Starts a cell that runs until that file is there."""
    code = (
        f"import os, time\nwhile not os.path.exists({name!r}):\n    time.sleep(0.01)\nprint('on')"
    )
    msg_id = client.send("shell", "execute_request", {"code": code})
    client.output(msg_id, "execute_input")
    return msg_id


@LOST
def test_the_bind_reply_says_how_far_the_old_session_came(
    client: IndependentClient, reconnect: bool
) -> None:
    client.execute("print(input())", "a")
    client.session.sent["shell"] += 1  # a gap
    client.execute("1")
    old = client.session
    reply = client.rejoin(reconnect=reconnect)
    assert reply["accepted"] == {channel: old.sent[channel] for channel in BOUND}
    assert reply["gaps"] == {"shell": 1, "control": 0, "stdin": 0}
    assert {c: reply["sent"][c] for c in BOUND} == {c: old.received[c] for c in BOUND}
    client.bound()
    assert client.execute("print(input())", "b")[0]["status"] == "ok"
    assert client.session.gaps == dict.fromkeys(CHANNELS, 0)


@LOST
def test_nothing_more_is_accepted_in_the_old_session(
    client: IndependentClient, reconnect: bool
) -> None:
    old = client.session
    client.rejoin(reconnect=reconnect)
    for channel in BOUND:
        _, frames = client.body("bind_request")
        client.raw(channel, client.seal(channel, frames, session=old))
        client.bound() if channel == "shell" else None
        msg_id = client.send(channel, "bind_request")
        assert client.reply(channel, msg_id)["content"]["status"] == "ok"
        assert rejected(client, channel) == {"unknown session": 1}


def test_the_old_session_is_in_force_until_the_new_one_is_bound(client: IndependentClient) -> None:
    client.shake_hands()
    assert client.execute("1")[0]["status"] == "ok"
    assert client.rejoin()["accepted"]["shell"] == 2


@LOST
def test_the_reply_of_a_running_request_goes_to_the_new_session(
    kernel: KernelProcess, client: IndependentClient, reconnect: bool
) -> None:
    msg_id = wait_for(client, "go")
    reply = client.rejoin(reconnect=reconnect)
    assert reply["accepted"]["shell"] == 2
    (kernel.file.parent / "go").touch()
    reply = client.reply("shell", msg_id)
    assert (reply["content"]["status"], reply["to"]) == ("ok", client.session.id)
    busy, *outputs = client.outputs(msg_id)
    assert busy["content"] == {"execution_state": "busy"}
    assert {m["to"] for m in outputs} == {client.session.id}
    assert outputs[-2]["content"]["text"] == "on\n"
    client.bound()


@LOST
def test_the_reply_goes_to_the_newest_session(
    kernel: KernelProcess, client: IndependentClient, reconnect: bool
) -> None:
    msg_id = wait_for(client, "go")
    for _ in range(3):
        assert client.rejoin(reconnect=reconnect)["status"] == "ok"
    (kernel.file.parent / "go").touch()
    assert client.reply("shell", msg_id)["to"] == client.session.id
    assert client.output(msg_id, "stream")["to"] == client.session.id


@LOST
def test_a_queued_request_was_accepted_or_never_runs(
    kernel: KernelProcess, client: IndependentClient, reconnect: bool
) -> None:
    running = wait_for(client, "go")
    queued = client.send("shell", "execute_request", {"code": "open('executed', 'w')"})
    reply = client.rejoin(reconnect=reconnect)
    (kernel.file.parent / "go").touch()
    client.reply("shell", running)
    if reply["accepted"]["shell"] == 3:
        assert client.reply("shell", queued)["content"]["status"] == "ok"
    client.bound()
    client.execute("1")
    assert (kernel.file.parent / "executed").exists() == (reply["accepted"]["shell"] == 3)


@LOST
def test_a_pending_question_goes_to_the_new_session(
    client: IndependentClient, reconnect: bool
) -> None:
    code = "print(input('name? '))"
    msg_id = client.send("shell", "execute_request", {"code": code})
    first = client.question(msg_id)
    old = client.session
    client.rejoin(reconnect=reconnect)
    _, frames = client.body("input_reply", {"value": "old"}, parent=first["header"])
    client.raw("stdin", client.seal("stdin", frames, session=old))
    again = client.question(msg_id)
    assert again["content"] == first["content"]
    client.answer(again, "new")
    assert client.reply("shell", msg_id)["content"]["status"] == "ok"
    assert client.output(msg_id, "stream")["content"]["text"] == "new\n"
    client.bound()
    assert rejected(client, "stdin") == {"unknown session": 1}


def test_who_has_as_many_sessions_as_may_be_can_still_shake_hands_again(
    kernel: KernelProcess, independent: Connect
) -> None:
    guest = independent(kernel, "alice", 255)
    assert [guest.join()["status"] for _ in range(5)] == ["ok"] * 4 + ["error"]
    guest.session = guest.old.pop()
    assert guest.rejoin()["status"] == "ok"
    assert guest.execute("1")[0]["status"] == "ok"


def test_a_session_of_somebody_else_is_not_replaced(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guest = independent(kernel, "alice", 255)
    reply = guest.join(replaces=client.session.id.hex())
    assert "accepted" not in reply
    assert client.execute("1")[0]["status"] == "ok"


@pytest.mark.parametrize("replaces", ["00" * 8, "ab" * 8, "", "x" * 16, "ab" * 9, 5, None, []])
def test_a_session_that_nobody_has_is_not_replaced(
    client: IndependentClient, replaces: object
) -> None:
    reply = client.request("control", "bind_request", {"replaces": replaces})
    assert "accepted" not in reply
    assert client.execute("1")[0]["status"] == "ok"


def test_after_a_restart_nothing_recorded_verifies(
    kernel: KernelProcess, client: IndependentClient
) -> None:
    old, old_hello = client.session, client.last_hello
    _, frames = client.body("execute_request", {"code": "open('executed', 'w')"})
    recorded = {channel: client.seal(channel, frames) for channel in BOUND}
    key = old.keys["heartbeat", TO_KERNEL]
    recorded["heartbeat"] = [b"", heartbeat(key, PING, old.id, 1)]
    kernel.kill()
    kernel.start()
    client.reconnect()
    reply = client.join(replaces=old.id.hex())
    assert reply["status"] == "ok"
    assert "accepted" not in reply
    assert client.session.run_id != old.run_id
    client.raw("control", [DELIMITER, old_hello])
    client.bound()
    for channel, message in recorded.items():
        client.raw(channel, message)
    client.ping()
    assert rejected(client, HEARTBEAT) == {"unknown session": 1}
    for channel in BOUND:
        client.reply(channel, client.send(channel, "bind_request"))
        assert rejected(client, channel) == {"unknown session": 1}
    assert not (kernel.file.parent / "executed").exists()
    assert client.execute("1")[0]["status"] == "ok"
