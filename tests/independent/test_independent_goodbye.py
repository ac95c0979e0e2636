"""Goodbyes and names under channel-hmac, as an independent client sees them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from independent_stage import rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

    Connect = Callable[..., IndependentClient]

FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
OBSERVE, ALL = 1, 255
WAIT = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\nprint('on')"


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    return start_kernel(**FIELDS)


def is_gone(client: IndependentClient, watcher: IndependentClient) -> None:
    """The kernel knows the session no more."""
    before = rejected(watcher, "control").get("unknown session", 0)
    client.send("control", "bind_request")
    while rejected(watcher, "control").get("unknown session", 0) == before:
        assert not client.sockets["control"].poll(10)


def test_who_leaves_gives_the_place_back(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guests = [independent(kernel, "alice", ALL) for _ in range(6)]
    for guest in guests[:4]:
        assert guest.join()["status"] == "ok"
    assert guests[4].join()["ename"] == "TooManySessions"
    guests[0].leave()
    assert guests[5].join()["status"] == "ok"
    is_gone(guests[0], client)
    assert not [m for m in guests[0].inbox["control"] if "leaves" in m["content"]]
    for guest in (*guests[1:4], guests[5]):
        assert guest.execute("1")[0]["status"] == "ok"


def test_what_was_accepted_runs_and_its_answer_goes_nowhere(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    leaving = independent(kernel)
    leaving.join()
    leaving.bound()
    msg_id = leaving.send("shell", "execute_request", {"code": WAIT})
    leaving.output(msg_id, "execute_input")
    leaving.leave()
    is_gone(leaving, client)
    (kernel.file.parent / "go").touch()
    printed = client.take("iopub", lambda m: m["content"].get("text") == "on\n")
    assert printed["parent_header"]["msg_id"] == msg_id
    assert client.execute("1")[0]["status"] == "ok"
    assert not leaving.sockets["shell"].poll(0)


def test_a_question_to_who_has_left_ends(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    leaving = independent(kernel)
    leaving.join()
    code = "try:\n    input('? ')\nexcept EOFError:\n    print('over')"
    leaving.question(leaving.send("shell", "execute_request", {"code": code}))
    leaving.leave()
    client.take("iopub", lambda m: m["content"].get("text") == "over\n")


def test_nobody_takes_over_from_who_has_left(
    client: IndependentClient, kernel: KernelProcess, independent: Connect
) -> None:
    other = independent(kernel)
    other.join()
    other.leave()
    assert other.join(replaces=other.session.id.hex()) == {"status": "ok"}
    other.bound()
    assert client.execute("1")[0]["status"] == "ok"


def test_a_goodbye_without_a_place_gets_none(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guests = [independent(kernel, "alice", ALL) for _ in range(5)]
    for guest in guests[:4]:
        guest.join()
    late = guests[4]
    late.session = late.shake_hands()
    late.send("control", "bind_request", {"leaves": True, "replaces": guests[0].session.id.hex()})
    is_gone(late, client)
    for guest in guests[:4]:
        assert guest.execute("1")[0]["status"] == "ok"


# names


def test_a_name_of_another_client_s_is_taken(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    guest = independent(kernel, "alice", OBSERVE)
    guest.name = client.name
    guest.session = guest.shake_hands()
    assert guest.request("control", "bind_request")["ename"] == "SessionNameTaken"
    guest.rename()
    assert guest.request("control", "bind_request")["status"] == "ok"
    other = independent(kernel)
    other.name = client.name  # of the same client
    assert other.join()["status"] == "ok"


def test_an_observer_is_first_after_a_restart_and_the_owner_is_in(
    kernel: KernelProcess, independent: Connect
) -> None:
    owner = independent(kernel)
    owner.join()
    recorded = owner.name
    kernel.kill()
    kernel.start()
    guest = independent(kernel, "alice", OBSERVE)
    guest.name = recorded
    assert guest.join()["status"] == "ok"
    owner.reconnect()
    owner.name = recorded
    assert owner.join(replaces=owner.session.id.hex())["status"] == "ok"
    assert owner.name != recorded
    assert owner.execute("1")[0]["status"] == "ok"
