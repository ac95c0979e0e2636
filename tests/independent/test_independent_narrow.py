"""An observer makes nobody busy, idle or large: what others get to hear of its requests."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from independent_stage import rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

CONNECTION_FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
OBSERVE, EXECUTE, INTROSPECT = 1, 2, 4
KIB, MIB = 1 << 10, 1 << 20
WELCOMES = 5  # a second


@pytest.fixture(scope="module")
def owner(
    kernel: KernelProcess, independent: Callable[..., IndependentClient]
) -> IndependentClient:
    return joined(independent(kernel))


@pytest.fixture(scope="module")
def guest(
    kernel: KernelProcess, independent: Callable[..., IndependentClient]
) -> IndependentClient:
    return joined(independent(kernel, "alice", OBSERVE))


def joined(client: IndependentClient) -> IndependentClient:
    assert client.join()["status"] == "ok"
    client.bound()
    return client


def say(client: IndependentClient, channel: str, frames: list[bytes], **header: Any) -> None:
    """Sends a message whose header is changed."""
    head = {**json.loads(frames[0]), **header}
    client.raw(channel, client.seal(channel, [json.dumps(head).encode(), *frames[1:]]))


def states(owner: IndependentClient) -> list[str]:
    """All that iopub says of busy and idle, up to the end of a cell of the owner's, but for it."""
    msg_id = owner.send("shell", "execute_request", {"code": "1"})
    owner.reply("shell", msg_id)
    owner.outputs(msg_id)
    messages, owner.inbox["iopub"] = owner.inbox["iopub"], []
    return [m["content"]["execution_state"] for m in messages if "execution_state" in m["content"]]


def handled(client: IndependentClient) -> None:
    """All that this client has sent was looked at."""
    for channel in ("shell", "control", "stdin"):
        client.request(channel, "bind_request")


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize(
    "changes",
    [
        {"msg_type": 1},
        {"username": []},
        {"version": {}},
        {"msg_id": None},
        {"msg_id": [1]},
        {"session": "another"},
        {"session": 5},
        {"msg_type": "execute_request"},
        {"msg_type": "history_request"},
        {"msg_type": "interrupt_request"},
        {"msg_type": "what_request"},
        {"msg_type": "kernel_info_request"},
        {"msg_type": "auth_status_request"},
        {"msg_type": "bind_request"},
    ],
    ids=str,
)
def test_an_observer_s_requests_make_nobody_busy_or_idle(
    owner: IndependentClient, guest: IndependentClient, channel: str, changes: dict[str, Any]
) -> None:
    states(owner)
    _, frames = guest.body("complete_request", {"code": ""})
    for claimed in ({}, {"msg_id": "of the owner"}, {"msg_id": "1", "session": owner.name}):
        say(guest, channel, frames, **{**claimed, **changes})
    for at, junk in ((0, b"{"), (0, b"[]"), (1, b"5"), (2, b"\xff"), (3, b"[")):
        guest.raw(channel, guest.seal(channel, [*frames[:at], junk, *frames[at + 1 :]]))
    handled(guest)
    assert states(owner) == []


@pytest.mark.parametrize("rights", [OBSERVE | EXECUTE, OBSERVE | INTROSPECT])
def test_nobody_speaks_of_another_s_request(
    kernel: KernelProcess,
    owner: IndependentClient,
    independent: Callable[..., IndependentClient],
    rights: int,
) -> None:
    """With other rights too: a header that is not the client's own is not repeated."""
    bob = joined(independent(kernel, "bob", rights))
    states(owner)
    _, frames = bob.body("complete_request", {"code": ""})
    for header in (
        {"session": owner.name},
        {"session": owner.name, "msg_type": []},
        {"session": owner.name, "msg_type": "execute_request"},
        {"session": owner.name, "date": {}},
    ):
        say(bob, "shell", frames, msg_id="of the owner", **header)
    handled(bob)
    assert states(owner) == []
    bob.leave()


def test_a_refusal_is_for_who_asked(
    kernel: KernelProcess,
    owner: IndependentClient,
    independent: Callable[..., IndependentClient],
) -> None:
    """Nobody else hears of what is malformed, or not allowed, unless its sender may execute."""
    bob = joined(independent(kernel, "bob", OBSERVE | INTROSPECT))
    states(owner)
    for msg_type, content in (
        ("complete_request", {"code": 5}),
        ("history_request", {"n": "many"}),
        ("execute_request", {"code": "1"}),
        ("execute_request", {}),
    ):
        assert bob.request("shell", msg_type, content)["status"] == "error"
    assert states(owner) == []
    msg_id = owner.send("shell", "complete_request", {"code": 5})
    assert owner.reply("shell", msg_id)["content"]["status"] == "error"
    owner.outputs(msg_id)
    bob.leave()


def test_welcomes_are_five_a_second_for_each_session(
    owner: IndependentClient, guest: IndependentClient
) -> None:
    owner.execute("1")
    before = owner.session.received["iopub"]
    for _ in range(50):
        guest.request("control", "bind_request")
    first = guest.request("control", "kernel_info_request")
    assert first["status"] == "ok"
    owner.execute("1")
    published = owner.session.received["iopub"] - before
    assert published < 50  # the cell's own four among them


@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
@pytest.mark.parametrize("at", [0, 1], ids=["header", "parent_header"])
def test_headers_have_64_kib_before_anything_is_computed(
    owner: IndependentClient, guest: IndependentClient, channel: str, at: int
) -> None:
    name = {"shell": "shell", "control": "control", "stdin": "stdin"}[channel]
    before = rejected(owner, name).get("framing", 0)
    _, frames = guest.body("bind_request")
    for size in (64 * KIB, 64 * KIB + 1):
        dicts = json.loads(frames[at])
        padding = size - len(json.dumps({**dicts, "x": ""}))
        large = [*frames]
        large[at] = json.dumps({**dicts, "x": padding * "x"}).encode()
        assert len(large[at]) == size
        counter = guest.session.sent[channel]
        guest.raw(channel, guest.seal(channel, large))
        if size > 64 * KIB:
            guest.session.sent[channel] = counter  # nothing is spent
    guest.request(channel, "bind_request")
    assert rejected(owner, name).get("framing", 0) == before + 1


def test_all_frames_together_have_what_one_may_have(
    owner: IndependentClient, guest: IndependentClient
) -> None:
    before = rejected(owner, "control").get("framing", 0)
    _, frames = guest.body("bind_request")
    counter = guest.session.sent["control"]
    guest.raw("control", guest.seal("control", [*frames, *[b"x" * (MIB // 2)] * 2]))
    guest.session.sent["control"] = counter
    guest.request("control", "bind_request")
    assert rejected(owner, "control").get("framing", 0) == before + 1


def test_gaps_are_told_to_whom_they_concern(
    owner: IndependentClient, guest: IndependentClient
) -> None:
    guest.session.sent["control"] += 2**40
    owner.session.sent["control"] += 3
    assert guest.ping()
    theirs = guest.request("control", "auth_status_request")["channels"]["control"]
    assert theirs["gaps"] == 2**40
    assert "gaps_total" not in theirs
    ours = owner.request("control", "auth_status_request")["channels"]["control"]
    assert (ours["gaps"], ours["gaps_total"]) == (3, 2**40 + 3)
    owner.join(replaces=owner.session.id.hex())
    owner.bound()
    owner.session.sent["control"] += 4
    assert owner.request("control", "auth_status_request")["channels"]["control"]["gaps"] == 7


# routes


def connected(client: IndependentClient, channel: str, identity: bytes) -> zmq.Socket[bytes]:
    """A connection of that identity whose greeting is over."""
    socket = client.context.socket(zmq.DEALER)
    socket.identity = identity
    client.all.append(socket)
    monitor = socket.get_monitor_socket(zmq.Event.HANDSHAKE_SUCCEEDED)
    socket.connect(client.sockets[channel].last_endpoint.decode())
    assert monitor.poll(20_000)
    socket.disable_monitor()
    monitor.close(0)
    return socket


@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
def test_a_copied_identity_does_not_get_the_route(
    kernel: KernelProcess, independent: Callable[..., IndependentClient], channel: str
) -> None:
    """And so ROUTER_HANDOVER must be 0."""
    client = independent(kernel)
    own = connected(client, channel, b"copied")
    client.sockets[channel].close(0)
    client.sockets[channel] = own
    joined(client)
    thief = connected(client, channel, b"copied")
    for _ in range(10):
        thief.send_multipart([b"<IDS|MSG>", b"junk"])
        if channel == "stdin":
            assert client.execute("input('? ')", "answer")[0]["status"] == "ok"
        else:
            assert client.request(channel, "kernel_info_request")["status"] == "ok"
    assert not thief.poll(0)
    client.leave()
