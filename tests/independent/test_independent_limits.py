"""Limits of channel-hmac, section 3: sessions, challenges and time, by an independent client."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from independent_stage import rejected
from independent_wire import DELIMITER, OWNER, hello

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

    Connect = Callable[..., IndependentClient]

FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
ALL = 255
OBSERVE, EXECUTE = 1, 2
WAIT = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)"


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    return start_kernel(**FIELDS)


def test_a_replayed_hello_gets_no_second_challenge(client: IndependentClient) -> None:
    client.shake_hands()
    first = client.last_hello
    for socket in (None, client.socket("control")):
        for _ in range(5):
            client.raw("control", [DELIMITER, first], socket)
    client.shake_hands()
    client.request("control", "kernel_info_request")
    assert client.ignored_answers(first, client.psk) == 0


def answered(client: IndependentClient) -> bool:
    """Whether one more HELLO gets its CHALLENGE, and before the next reply on control."""
    client.say_hello()
    client.request("control", "kernel_info_request")
    return client.agreed is not None


def test_replayed_hellos_cost_nothing(client: IndependentClient) -> None:
    client.shake_hands()
    first = client.last_hello
    for _ in range(500):
        client.raw("control", [DELIMITER, first])
    assert answered(client)
    assert client.ignored_answers(first, client.psk) == 0


def test_forged_hellos_cost_nothing(client: IndependentClient) -> None:
    before = len(client.ignored)  # a busy machine may be late with the CHALLENGE to an own HELLO
    for _ in range(500):
        client.raw("control", [DELIMITER, hello(bytes(32), os.urandom(32), OWNER, "")])
    assert answered(client)
    assert len(client.ignored) == before


def test_a_busy_kernel_admits_clients(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    msg_id = client.send("shell", "execute_request", {"code": WAIT})
    client.output(msg_id, "execute_input")
    guest = independent(kernel, "alice", ALL)
    assert guest.join()["status"] == "ok"
    guest.ping()
    assert guest.request("control", "interrupt_request")["status"] == "ok"
    assert client.reply("shell", msg_id)["content"]["ename"] == "KeyboardInterrupt"
    guest.bound()


@pytest.mark.slow
def test_an_unconfirmed_session_is_gone_after_ten_seconds(client: IndependentClient) -> None:
    late, deadline = client.shake_hands(), time.monotonic() + 12
    while time.monotonic() < deadline:
        client.request("control", "auth_status_request")
    _, frames = client.body("bind_request")
    client.raw("control", client.seal("control", frames, session=late))
    assert rejected(client, "control") == {"unknown session": 1}


def test_a_client_can_have_four_sessions(kernel: KernelProcess, independent: Connect) -> None:
    guests = [independent(kernel, "alice", OBSERVE | EXECUTE) for _ in range(5)]
    for guest in guests[:4]:
        assert guest.join()["status"] == "ok"
    fifth = guests[4]
    reply = fifth.join()
    assert (reply["status"], reply["ename"]) == ("error", "TooManySessions")
    fifth.send("shell", "execute_request", {"code": "open('executed', 'w')"})
    fifth.send("shell", "bind_request")
    for guest in guests[:4]:
        assert guest.execute("1")[0]["status"] == "ok"
    while rejected(guests[0], "shell") != {"unknown session": 2}:
        assert not fifth.sockets["shell"].poll(10)
    assert not (kernel.file.parent / "executed").exists()
    for name, rights in (("alice", OBSERVE), ("bob", OBSERVE | EXECUTE), ("", OWNER)):
        assert independent(kernel, name, rights).join()["status"] == "ok"


def test_a_session_counts_however_it_was_confirmed(
    kernel: KernelProcess, independent: Connect
) -> None:
    guest = independent(kernel, "alice", ALL)
    replies = []
    for _ in range(6):
        guest.session = guest.shake_hands()
        replies.append(guest.request("control", "kernel_info_request"))
    assert [r["status"] for r in replies] == ["ok"] * 4 + ["error"] * 2
    assert replies[-1]["ename"] == "TooManySessions"


def test_all_invitations_can_have_sixteen_sessions(
    kernel: KernelProcess, independent: Connect
) -> None:
    for name in "abcd":
        guest = independent(kernel, name, ALL)
        assert [guest.join()["status"] for _ in range(4)] == ["ok"] * 4
    reply = independent(kernel, "e", ALL).join()
    assert (reply["status"], reply["ename"]) == ("error", "TooManySessions")
    assert guest.execute("1")[0]["status"] == "ok"
    assert independent(kernel).join()["status"] == "ok"


def test_there_can_be_32_sessions(client: IndependentClient) -> None:
    first = client.session
    assert [client.join()["status"] for _ in range(31)] == ["ok"] * 31
    reply = client.join()
    assert (reply["status"], reply["ename"]) == ("error", "TooManySessions")
    client.session = first
    assert client.execute("1")[0]["status"] == "ok"


def test_fifty_challenges_a_second_for_one_client(
    kernel: KernelProcess, independent: Connect
) -> None:
    guest, other = independent(kernel, "alice", ALL), independent(kernel, "bob", ALL)
    begun = time.monotonic()
    for _ in range(500):
        guest.raw("control", [DELIMITER, guest.make_hello()])
    other.join()  # another's budget is its own
    guest.shake_hands()
    answered = len(guest.ignored) + 1
    assert answered <= 50 * (time.monotonic() - begun + 1) + 1
    assert answered >= 40


def test_an_unconfirmed_session_gives_way_to_the_64th_after_it(client: IndependentClient) -> None:
    abandoned = client.shake_hands()
    for _ in range(64):
        client.shake_hands()
    msg_id, frames = client.body("bind_request")
    client.raw("control", client.seal("control", frames, session=abandoned))
    assert client.request("control", "kernel_info_request")["status"] == "ok"
    assert rejected(client, "control")["unknown session"] == 1
    assert not [m for m in client.inbox["control"] if m["parent_header"].get("msg_id") == msg_id]
    assert client.join()["status"] == "ok"


@pytest.mark.parametrize("rights", [OBSERVE, ALL])
def test_an_invitation_that_the_kernel_refuses(
    start_kernel: Callable[..., KernelProcess], independent: Connect, rights: int
) -> None:
    kernel = start_kernel("--refuse", "alice", "--refuse", "eve", **FIELDS)
    for name in ("alice", "eve"):
        guest = independent(kernel, name, rights)
        guest.say_hello()
        assert not guest.sockets["control"].poll(100)
    assert independent(kernel, "bob", rights).join()["status"] == "ok"
    owner = independent(kernel)
    owner.join()
    assert rejected(owner, "control") == {"refused": 2}


def test_the_number_of_sessions_is_an_option(
    start_kernel: Callable[..., KernelProcess], independent: Connect
) -> None:
    owner = independent(start_kernel("--sessions", "2", **FIELDS))
    assert [owner.join()["status"] for _ in range(3)] == ["ok", "ok", "error"]


def test_counters_to_their_end(client: IndependentClient) -> None:
    last = 2**64 - 1
    for _ in range(3):
        client.join()
        msg_id, frames = client.body("kernel_info_request")
        client.raw("shell", client.seal("shell", frames, counter=last))
        assert client.reply("shell", msg_id)["content"]["status"] == "ok"
    status = client.request("control", "auth_status_request")["channels"]["shell"]
    assert status["gaps"] > 0
    assert client.rejoin()["accepted"]["shell"] == last
    assert client.execute("1")[0]["status"] == "ok"


@pytest.mark.parametrize("channel", ["control", "stdin"])
def test_a_frame_too_long_costs_the_connection(
    client: IndependentClient, kernel: KernelProcess, independent: Connect, channel: str
) -> None:
    other = independent(kernel)
    other.join()
    _, frames = client.body("bind_request")
    client.raw(channel, client.seal(channel, [*frames, bytes((1 << 20) + 1)]))
    while not rejected(other, channel):
        client.send(channel, "bind_request")  # from now on by another route
    assert set(rejected(other, channel)) == {"route"}
    assert client.rejoin(reconnect=True)["status"] == "ok"
    client.bound()
    client.ping()
    assert client.execute("print(input())", "a")[0]["status"] == "ok"
