"""Invitations over real sockets (channel-hmac, section 2): what they may do, and may not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.auth.rights import ALL_RIGHTS, Right
from minikernel.cli.app import main
from minikernel.errors import PermissionDenied, TooManySessions
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import KernelProcess

    from minikernel import MiniKernelClient

TIMEOUT = 20  # seconds
SOON = 1.0  # seconds in which a kernel that is there has answered
DENIED = "this client has not the right"


@pytest.fixture
def guarded(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    """A kernel under channel-hmac."""
    return start_kernel(signature_scheme=CHANNEL_HMAC)


@pytest.fixture
def invite(guarded: KernelProcess, tmp_path: Path) -> Callable[..., Path]:
    """Writes an invitation, as the command does."""

    def invite(rights: str, name: str = "alice") -> Path:
        path = tmp_path / f"{name}-{rights}.json"
        names = ["--name", name, "--rights", rights, "--output", str(path)]
        assert main(["invite", *names, "--connection-file", str(guarded.file)]) == 0
        return path

    return invite


@pytest.fixture
def join() -> Iterator[Callable[..., MiniKernelClient]]:
    """Connects clients that are closed with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda path: stack.enter_context(minikernel.connect(path, timeout=TIMEOUT))


@pytest.fixture
def owner(guarded: KernelProcess, join: Callable[..., MiniKernelClient]) -> MiniKernelClient:
    return join(guarded.file)


def published(client: MiniKernelClient, session: str, until: str = "idle") -> list[dict[str, Any]]:
    """What iopub says about the requests of a session, up to a state."""
    found = []
    while True:
        msg = client.get_iopub_msg(TIMEOUT)
        if msg["parent_header"].get("session") != session:
            continue
        found.append(msg)
        if msg["content"].get("execution_state") == until:
            return found


def denied(content: dict[str, Any]) -> bool:
    return (content["status"], content["ename"]) == ("error", "PermissionError")


def counted(client: MiniKernelClient) -> dict[str, int]:
    """What the kernel has rejected, by reason."""
    status = client.request_control("auth_status_request")["channels"].values()
    return {reason: n for channel in status for reason, n in channel["rejected"].items()}


def test_an_observer_sees_the_owner_s_outputs(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice = join(invite("observe"))
    owner.run("print('seen'); 6 * 7", timeout=TIMEOUT)
    outputs = published(alice, owner.session.session)
    kinds = [msg["msg_type"] for msg in outputs]
    assert kinds == ["status", "execute_input", "stream", "execute_result", "status"]
    assert outputs[2]["content"]["text"] == "seen\n"
    assert alice.ledger.rejected == 0


def shown(client: MiniKernelClient) -> dict[str, Any]:
    while (msg := client.get_iopub_msg(TIMEOUT))["msg_type"] != "execute_input":
        pass
    return msg


def test_each_cell_says_whose_it_is_and_no_client_can_claim_another_s_name(
    owner: MiniKernelClient,
    invite: Callable[..., Path],
    join: Callable[..., MiniKernelClient],
) -> None:
    observer, bob = join(invite("observe")), join(invite("execute", "bob"))
    for client, name in ((owner, ""), (bob, "bob"), (owner, "")):
        msg = client.session.msg("execute_request", {"code": "1", "silent": False})
        msg["header"]["username"] = "mallory"
        msg["metadata"] = {"minikernel": {"client": "mallory"}}
        client.shell_channel.send(msg)
        seen = shown(observer)
        assert seen["metadata"] == {"minikernel": {"client": name}}
        assert observer.verifier.author(seen) == (name or "the owner", True)


def test_what_a_client_may_it_knows_without_asking(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    observer = join(invite("observe,interrupt"))
    for msg_type, may in {
        "execute_request": False,
        "history_request": False,
        "shutdown_request": False,
        "an_unheard_of_request": False,
        "interrupt_request": True,
        "kernel_info_request": True,
    }.items():
        assert (
            observer.verifier.scheme.permits(msg_type),
            owner.verifier.scheme.permits(msg_type),
        ) == (
            may,
            True,
        )


def test_who_may_not_observe_is_sent_nothing_that_it_would_have_to_refuse(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    bob = join(invite("execute"))
    owner.run("print('not for bob')")
    assert bob.run("6 * 7").status == "ok"
    assert "no tag" not in bob.ledger["iopub"].rejected


def test_an_observer_can_not_execute(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice = join(invite("observe"))
    result = alice.run("mark = 1", timeout=TIMEOUT)
    assert denied(result.reply["content"])
    assert (result.status, result.execution_count, result.outputs) == ("error", None, [])
    assert result.complete
    with pytest.raises(minikernel.CellError, match=f"PermissionError: {DENIED}"):
        result.raise_for_error()
    assert owner.run("'mark' in globals()", timeout=TIMEOUT).value == "False"
    about_alice = [
        msg
        for msg in iter(lambda: _next(owner), None)
        if msg["parent_header"].get("session") == alice.session.session
        and msg["parent_header"].get("msg_type") == "execute_request"
    ]
    assert about_alice == []  # no busy and no idle


def _next(client: MiniKernelClient) -> dict[str, Any] | None:
    """A message of iopub that has come."""
    return client.get_iopub_msg() if client.iopub_channel.msg_ready() else None


REQUESTS = {
    Right.EXECUTE: ("shell", "execute_request", {"code": "1", "allow_stdin": False}),
    Right.INTROSPECT: ("shell", "complete_request", {"code": "pri", "cursor_pos": 3}),
    Right.INTERRUPT: ("control", "interrupt_request", {}),
    Right.DEBUG: ("control", "debug_request", {}),
    Right.SHUTDOWN: ("control", "shutdown_request", {"restart": False}),
}


def ask(client: MiniKernelClient, channel: str, msg_type: str, content: Any) -> dict[str, Any]:
    """The content of the reply to a request."""
    msg = client.session.msg(msg_type, content)
    getattr(client, f"{channel}_channel").send(msg)
    while True:
        reply = getattr(client, f"get_{channel}_msg")(TIMEOUT)
        if reply["parent_header"]["msg_id"] == msg["header"]["msg_id"]:
            found: dict[str, Any] = reply["content"]
            return found


@pytest.mark.parametrize("right", REQUESTS, ids=lambda right: right.name.lower())
def test_each_right_allows_what_its_name_says_and_nothing_else(
    owner: MiniKernelClient,
    invite: Callable[..., Path],
    join: Callable[..., MiniKernelClient],
    right: Right,
) -> None:
    client = join(invite(str(right.name).lower()))
    for other, request in REQUESTS.items():
        if other is not right:
            assert denied(ask(client, *request)), other
    assert not denied({"ename": "", **ask(client, *REQUESTS[right])})
    if right is not Right.SHUTDOWN:
        assert owner.run("1", timeout=TIMEOUT).value == "1"


def test_who_may_execute_runs_cells(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice = join(invite("observe,execute"))
    assert alice.run("x = 6; print('hello'); x * 7", timeout=TIMEOUT).value == "42"
    assert owner.run("x", timeout=TIMEOUT).value == "6"
    with pytest.raises(PermissionDenied, match=DENIED):
        alice.interrupt()
    assert denied(alice.shutdown(reply=True, timeout=TIMEOUT)["content"])
    assert owner.run("x", timeout=TIMEOUT).value == "6"


def test_interrupt(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice = join(invite("observe,interrupt"))
    started = threading.Event()

    def run() -> None:
        found.append(
            owner.run(
                "print('started', flush=True); import time; time.sleep(60)",
                timeout=TIMEOUT,
                on_output=lambda msg: started.set() if msg["msg_type"] == "stream" else None,
            )
        )

    found: list[minikernel.Result] = []
    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(TIMEOUT)
    alice.interrupt()
    thread.join()
    assert found[0].error is not None
    assert found[0].error.ename == "KeyboardInterrupt"


def test_without_observe_the_reply_is_all(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    bob = join(invite("execute"))
    good = bob.run("y = 1; print(y)", user_expressions={"y": "y"}, timeout=TIMEOUT)
    assert (good.status, good.stdout) == ("ok", "")
    assert good.user_expressions["y"]["data"]["text/plain"] == "1"
    bad = bob.run("1 / 0", timeout=TIMEOUT)
    assert bad.error is not None
    assert bad.error.ename == "ZeroDivisionError"
    assert owner.run("y", timeout=TIMEOUT).value == "1"
    assert bob.ledger["iopub"].rejected == {}  # it subscribes to nothing: nothing has its tag


def test_input(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice = join(invite("observe,execute,input"))
    answered = alice.run("input('? ')", timeout=TIMEOUT, on_input=lambda *_: "yes")
    assert answered.value == "'yes'"
    bob = join(invite("observe,execute", name="bob"))
    refused = bob.run("input('? ')", timeout=TIMEOUT, on_input=lambda *_: "yes")
    assert refused.error is not None
    assert refused.error.ename == "NotImplementedError"
    assert owner.run("1", timeout=TIMEOUT).value == "1"


def test_comms(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    owner.run(
        "import comm\nheard = []\ncomm.get_comm_manager().register_target("
        "'t', lambda comm, msg: comm.on_msg(lambda m: heard.append(m['content']['data'])))",
        timeout=TIMEOUT,
    ).raise_for_error()
    for rights, name in (("observe", "alice"), ("observe,comms", "bob")):
        client = join(invite(rights, name))
        opening = {"comm_id": name, "target_name": "t", "data": {}}
        client.shell_channel.send(client.session.msg("comm_open", opening))
        said = {"comm_id": name, "data": {"from": name}}
        client.shell_channel.send(client.session.msg("comm_msg", said))
        client.kernel_info(reply=True, timeout=TIMEOUT)  # so both have been handled
    assert owner.run("heard", timeout=TIMEOUT).value == "[{'from': 'bob'}]"


def test_it_survives_a_restart_of_the_kernel(
    guarded: KernelProcess, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    path = invite("observe,execute")
    assert join(path).run("1", timeout=TIMEOUT).value == "1"
    guarded.kill()
    guarded.start()
    assert join(path).run("2", timeout=TIMEOUT).value == "2"


def not_let_in(path: Path) -> str:
    with pytest.raises(minikernel.KernelDied) as told:
        minikernel.connect(path, timeout=SOON)
    return str(told.value)


def restart(kernel: KernelProcess, *options: str, **fields: Any) -> None:
    """The same kernel, with other options or another file."""
    kernel.kill()
    kernel.options = options
    connection.write(kernel.file, {**kernel.info, **fields})
    kernel.start()


def test_refuse_ends_it(
    guarded: KernelProcess, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice, bob = invite("observe"), invite("observe", name="bob")
    restart(guarded, "--refuse", "alice")
    owner = join(guarded.file)
    assert join(bob).auth_status().rejected == 0
    assert "--refuse" in not_let_in(alice)
    assert counted(owner)["refused"] >= 1


def test_a_new_key_ends_it(
    guarded: KernelProcess, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    alice = invite("observe")
    restart(guarded, key="another key of this kernel")
    owner = join(guarded.file)
    assert "no longer accepts this invitation (new key, " in not_let_in(alice)
    assert counted(owner)["bad signature"] >= 1


@pytest.mark.parametrize(
    "changes",
    [{"rights": ALL_RIGHTS}, {"rights": 3}, {"client_id": "bob"}, {"client_key": "00" * 32}],
    ids=str,
)
def test_an_edited_invitation_is_not_let_in(
    owner: MiniKernelClient, invite: Callable[..., Path], changes: dict[str, Any]
) -> None:
    path = invite("observe")
    connection.write(path, {**json.loads(path.read_text()), **changes})
    assert "edited" in not_let_in(path)
    assert counted(owner)["bad signature"] >= 1


@pytest.mark.parametrize(
    "changes",
    [
        {"rights": 0},
        {"rights": 256},
        {"rights": 0xFFFFFFFF},
        {"rights": "1"},
        {"client_id": ""},
        {"client_id": "a b"},
        {"client_key": "00"},
        {"key": "0" * 32},
        {"client_id": None},
        {"signature_scheme": "hmac-sha256"},
    ],
    ids=str,
)
def test_an_invitation_that_can_not_be_one(
    invite: Callable[..., Path], changes: dict[str, Any]
) -> None:
    path = invite("observe")
    secret = json.loads(path.read_text())["client_key"]
    connection.write(path, {**json.loads(path.read_text()), **changes})
    with pytest.raises(minikernel.ConfigError) as told:
        minikernel.connect(path, timeout=SOON)
    assert secret not in str(told.value)


def test_one_invitation_is_not_the_owner(
    owner: MiniKernelClient, invite: Callable[..., Path]
) -> None:
    """Its key in place of the owner's proves nothing."""
    path = invite("observe,execute")
    fields = json.loads(path.read_text())
    key = fields.pop("client_key")
    del fields["client_id"], fields["rights"]
    connection.write(path, {**fields, "key": key})
    assert "does not know this client" in not_let_in(path)
    assert counted(owner)["bad signature"] >= 1


def test_who_expects_another_scheme_refuses_the_file(invite: Callable[..., Path]) -> None:
    path = invite("observe")
    with pytest.raises(minikernel.ConfigError, match="channel-hmac-sha256"):
        minikernel.connect(path, scheme="hmac-sha256", timeout=SOON)


def test_clients_of_one_invitation_have_four_places(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    path = invite("observe,execute")
    clients = [join(path) for _ in range(4)]
    values = [client.run(str(i), timeout=TIMEOUT).value for i, client in enumerate(clients)]
    assert values == ["0", "1", "2", "3"]
    with pytest.raises(TooManySessions):
        minikernel.connect(path, timeout=TIMEOUT)
    assert join(invite("observe")).ledger.rejected == 0  # other rights: another client
    assert join(invite("execute", name="bob")).run("1", timeout=TIMEOUT).status == "ok"
    assert owner.run("1", timeout=TIMEOUT).value == "1"


def test_another_client_s_msg_id_is_not_the_owner_s_cell(
    owner: MiniKernelClient,
    invite: Callable[..., Path],
    join: Callable[..., MiniKernelClient],
    tmp_path: Path,
) -> None:
    """jupyter_client counts its msg_ids, so another can guess the next one."""
    alice = join(invite("observe,execute"))
    gate = tmp_path / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    msg = alice.session.msg("execute_request", {"code": f"{code}\nprint('forged')\n'forged'"})
    number = owner.session.message_count
    following = f"{owner.session.session}_{os.getpid()}_{number}"
    msg["header"]["msg_id"] = msg["msg_id"] = following
    alice.shell_channel.send(msg)
    published(alice, alice.session.session, until="busy")
    heard: list[str] = []

    def watch(event: minikernel.TraceEvent) -> None:
        if (event.direction, event.msg_type) == ("sent", "execute_request"):
            gate.touch()
        elif event.channel == "iopub" and event.verdict == "ok":
            heard.append(event.msg_type)

    owner.trace = watch
    result = owner.run("'mine'", timeout=TIMEOUT)
    assert result.reply["parent_header"]["msg_id"] == following
    assert (result.value, result.stdout) == ("'mine'", "")
    assert heard.count("execute_result") == 2


def test_nobody_speaks_under_another_s_session(
    owner: MiniKernelClient, invite: Callable[..., Path], join: Callable[..., MiniKernelClient]
) -> None:
    owner.run("1", timeout=TIMEOUT)
    alice = join(invite("observe,execute"))
    msg = alice.session.msg("execute_request", {"code": "forged = True"})
    msg["header"]["session"] = owner.session.session
    alice.shell_channel.send(msg)
    deadline = time.monotonic() + TIMEOUT
    while not counted(owner).get("refused") and time.monotonic() < deadline:
        owner.run("1", timeout=TIMEOUT)
    assert owner.run("'forged' in globals()", timeout=TIMEOUT).value == "False"


def test_the_asyncio_client_is_told_too(
    owner: MiniKernelClient, invite: Callable[..., Path]
) -> None:
    async def main() -> minikernel.Result:
        async with minikernel.connect_async(invite("observe"), timeout=TIMEOUT) as alice:
            with pytest.raises(PermissionDenied, match=DENIED):
                await alice.interrupt()
            return await alice.run("mark = 1", timeout=TIMEOUT)

    result = asyncio.run(main())
    assert denied(result.reply["content"])
    assert result.complete
    assert owner.run("'mark' in globals()", timeout=TIMEOUT).value == "False"


def test_a_cell_that_raises_permission_error_is_no_denial(owner: MiniKernelClient) -> None:
    result = owner.run("print('before'); raise PermissionError('mine')", timeout=TIMEOUT)
    assert result.error is not None
    assert (result.error.evalue, result.stdout, result.complete) == ("mine", "before\n", True)


def test_an_invitation_to_a_kernel_that_encrypts(
    start_kernel: Callable[..., KernelProcess],
    join: Callable[..., MiniKernelClient],
    tmp_path: Path,
) -> None:
    listed, path = str(tmp_path / "clients.txt"), tmp_path / "alice.json"
    kernel = start_kernel(
        "--curve-clients", listed, signature_scheme=CHANNEL_HMAC, **curve.new_pair()
    )
    names = ["--name", "alice", "--rights", "observe,execute", "--output", str(path)]
    to = ["--connection-file", str(kernel.file), "--curve-clients", listed]
    assert main(["invite", *names, *to]) == 0
    alice = join(path)
    assert alice.run("6 * 7", timeout=TIMEOUT).value == "42"
    with pytest.raises(PermissionDenied):
        alice.interrupt()


def test_the_invitation_holds_no_master_key(
    guarded: KernelProcess, invite: Callable[..., Path]
) -> None:
    content = invite("observe,execute").read_bytes()
    assert guarded.info["key"].encode() not in content
    assert b'"key"' not in content
