"""The kernel as an independent client sees it: what should work under channel-hmac."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from independent_wire import (
    CHANNELS,
    DELIMITER,
    PING,
    PONG,
    TO_CLIENT,
    TO_KERNEL,
    Rejected,
    heartbeat,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

    Connect = Callable[..., IndependentClient]

FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
OBSERVE, EXECUTE = 1, 2
WAIT = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)"


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    return start_kernel(**FIELDS)


def kinds(outputs: list[dict[str, Any]]) -> list[str]:
    return [m["header"]["msg_type"] for m in outputs]


def test_a_cell_and_every_message_of_it(client: IndependentClient) -> None:
    reply, outputs = client.execute("print('out')\n6 * 7")
    assert reply["status"] == "ok"
    assert kinds(outputs) == ["status", "execute_input", "stream", "execute_result", "status"]
    assert outputs[2]["content"] == {"name": "stdout", "text": "out\n"}
    assert outputs[3]["content"]["data"] == {"text/plain": "42"}
    assert client.session.gaps == dict.fromkeys(CHANNELS, 0)


def test_the_kernels_counters_begin_at_1_and_leave_none_out(client: IndependentClient) -> None:
    for _ in range(20):
        client.execute("1")
    assert client.session.gaps == dict.fromkeys(CHANNELS, 0)
    assert client.session.received["shell"] == client.session.sent["shell"] == 21
    assert client.session.received["stdin"] == client.session.sent["stdin"] == 1


def test_a_message_with_buffers(client: IndependentClient) -> None:
    msg_id, frames = client.body("kernel_info_request")
    client.raw("shell", client.seal("shell", [*frames, b"\0buffer\xff", b""]))
    assert client.reply("shell", msg_id)["content"]["status"] == "ok"


def test_input(client: IndependentClient) -> None:
    _, outputs = client.execute("print(input('name? ') + input('and? '))", "a", "b")
    assert [m["content"]["text"] for m in outputs if "text" in m["content"]][-1] == "ab\n"


def test_pings(client: IndependentClient) -> None:
    assert [client.ping() for _ in range(3)] == [1, 2, 3]


def test_pings_while_a_cell_runs(kernel: KernelProcess, client: IndependentClient) -> None:
    msg_id = client.send("shell", "execute_request", {"code": WAIT})
    client.output(msg_id, "execute_input")
    assert client.ping() == 1
    (kernel.file.parent / "go").touch()
    assert client.reply("shell", msg_id)["content"]["status"] == "ok"


def test_a_ping_comes_back_with_all_frames_before_it(client: IndependentClient) -> None:
    ping, pong = (
        heartbeat(client.session.keys["heartbeat", direction], kind, client.session.id, 1)
        for kind, direction in ((PING, TO_KERNEL), (PONG, TO_CLIENT))
    )
    client.raw("heartbeat", [b"", b"more", b"", ping])
    assert client.sockets["heartbeat"].poll(20_000)
    assert client.sockets["heartbeat"].recv_multipart() == [b"", b"more", b"", pong]


def test_a_subscription_by_itself_publishes_nothing(client: IndependentClient) -> None:
    client.execute("1")
    counter, sockets = client.session.received["iopub"], [client.socket("iopub") for _ in range(5)]
    while not all(s.poll(100) for s in sockets):
        client.execute("1")
    client.execute("1")
    assert client.session.gaps["iopub"] == 0
    assert client.session.received["iopub"] > counter
    assert "iopub_welcome" not in kinds(client.inbox["iopub"])


def test_every_valid_bind_request_on_control_publishes_a_welcome(client: IndependentClient) -> None:
    welcomes = []
    for _ in range(3):
        client.request("control", "bind_request")
        welcomes.append(client.take("iopub", client.is_welcome)["counter"])
    assert sorted(set(welcomes)) == welcomes


def test_auth_status(client: IndependentClient) -> None:
    client.execute("1")
    status = client.request("control", "auth_status_request")
    assert status["status"] == "ok"
    shell = status["channels"]["shell"]
    assert (shell["sent"], shell["verified"], shell["gaps"]) == (2, 2, 0)
    assert not any(shell["rejected"].values())


def test_two_clients_each_with_tags_of_its_own(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    other = independent(kernel, "bob", OBSERVE | EXECUTE)
    other.join()
    msg_id = client.send("shell", "execute_request", {"code": "print('for both')"})
    client.reply("shell", msg_id)
    ours = client.outputs(msg_id)
    seen = [other.take("iopub", lambda m: m["parent_header"].get("msg_id") == msg_id) for _ in ours]
    assert [m["counter"] for m in seen] == [m["counter"] for m in ours]
    assert other.execute("1")[0]["status"] == "ok"


def test_only_confirmed_observers_stand_in_a_publish(
    kernel: KernelProcess, client: IndependentClient, independent: Connect
) -> None:
    observer, blind = independent(kernel, "bob", OBSERVE), independent(kernel, "eve", EXECUTE)
    observer.join()
    blind.join()
    client.shake_hands()
    for message in client.execute("print(1)")[1]:
        assert sorted(message["sessions"]) == sorted([client.session.id, observer.session.id])


def test_counters_hold_while_threads_print_and_control_is_busy(client: IndependentClient) -> None:
    code = (
        "import threading\n"
        "def say():\n    for i in range(200): print(i, flush=True)\n"
        "all_ = [threading.Thread(target=say) for _ in range(4)]\n"
        "for t in all_: t.start()\n"
        "for t in all_: t.join()"
    )
    msg_id = client.send("shell", "execute_request", {"code": code})
    for _ in range(50):
        client.request("control", "kernel_info_request")
        client.ping()
    assert client.reply("shell", msg_id)["content"]["status"] == "ok"
    said = "".join(m["content"].get("text", "") for m in client.outputs(msg_id))
    assert sorted(said) == sorted("".join(f"{i}\n" for i in range(200)) * 4)
    assert client.session.gaps == dict.fromkeys(CHANNELS, 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_says_nothing(client: IndependentClient) -> None:
    code = (
        "import os, warnings\nwarnings.simplefilter('ignore')\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    try: display('from the child')\n"
        "    finally: os._exit(0)\n"
        "print(os.waitpid(pid, 0)[0] == pid)"
    )
    reply, outputs = client.execute(code)
    assert reply["status"] == "ok"
    assert [m["content"].get("text") for m in outputs if "text" in m["content"]][-1] == "True\n"
    assert "display_data" not in kinds(outputs)
    assert client.execute("1")[0]["status"] == "ok"
    assert client.session.gaps == dict.fromkeys(CHANNELS, 0)


@pytest.mark.parametrize("at", range(7), ids=lambda at: f"frame {at} after the delimiter")
def test_this_client_rejects_what_was_changed_on_the_way(
    client: IndependentClient, at: int
) -> None:
    msg_id = client.send("shell", "execute_request", {"code": "1"})
    assert client.sockets["shell"].poll(20_000)
    assert client.sockets["iopub"].poll(20_000)
    received = {c: client.sockets[c].recv_multipart() for c in ("shell", "iopub")}
    for channel, frames in received.items():
        begin = frames.index(DELIMITER) + 1
        changed = [*frames, b""] if begin + at >= len(frames) else [*frames]
        if begin + at < len(frames):
            changed[begin + at] = changed[begin + at][:-1] + b"\0"
        with pytest.raises(Rejected):
            client.open(channel, changed)
        client.open(channel, frames)
        with pytest.raises(Rejected, match="replayed counter"):
            client.open(channel, frames)
    assert client.reply("shell", msg_id)["content"]["status"] == "ok"
