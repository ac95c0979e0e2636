"""A client that leaves gives its place back, and what it has asked for still runs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.auth.challenge_once import NAME as CHALLENGE_ONCE
from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.auth.null import NAME as NULL
from minikernel.auth.registry import DEFAULT
from minikernel.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import KernelProcess

PATIENCE = 20
SCHEMES = [DEFAULT, "clear-key", CHALLENGE_ONCE, CHANNEL_HMAC, NULL]
PLACES = "2"


@pytest.fixture
def narrow(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    """A kernel with two places."""
    return start_kernel("--sessions", PLACES, signature_scheme=CHANNEL_HMAC)


def test_short_visits_one_after_the_other(narrow: KernelProcess) -> None:
    with minikernel.connect(narrow.file, timeout=PATIENCE) as stays:
        for n in range(10):
            with minikernel.connect(narrow.file, timeout=PATIENCE) as visitor:
                assert visitor.run(str(n), timeout=PATIENCE).value == str(n)
        assert stays.auth_status().rejected == 0


def test_the_asyncio_client_says_goodbye_too(narrow: KernelProcess) -> None:
    async def visit() -> None:
        async with minikernel.connect_async(narrow.file, timeout=PATIENCE) as visitor:
            assert (await visitor.run("1", timeout=PATIENCE)).value == "1"

    for _ in range(5):
        asyncio.run(visit())


def test_an_answer_that_nobody_took_is_no_reason_to_stay(narrow: KernelProcess) -> None:
    for _ in range(5):
        with minikernel.connect(narrow.file, timeout=PATIENCE) as visitor:
            visitor.kernel_info()
            visitor.run("1", timeout=PATIENCE)


def test_stopping_the_channels_is_leaving(narrow: KernelProcess) -> None:
    for _ in range(5):
        visitor = minikernel.connect(narrow.file, timeout=PATIENCE)
        visitor.stop_channels()
        visitor.close()


def test_who_waits_for_something_stays(narrow: KernelProcess) -> None:
    said: list[str] = []
    client = minikernel.connect(narrow.file, timeout=PATIENCE)
    client.execute("import time; time.sleep(60)")
    client.trace = lambda event: said.append(event.msg_type)
    client.close()
    assert "bind_request" not in said


def started(start_kernel: Callable[..., KernelProcess], scheme: str) -> KernelProcess:
    if scheme == NULL:
        return start_kernel("--scheme", NULL, key="")
    return start_kernel("--sessions", "100", signature_scheme=scheme)


def said_and_gone(kernel: KernelProcess, scheme: str, times: int, say: Callable[..., Any]) -> None:
    """Each of so many clients says something and leaves at once; all of it has an effect."""
    for n in range(times):
        with minikernel.connect(kernel.file, scheme=scheme, timeout=PATIENCE) as client:
            say(client, n)
    expected = " ".join(map(str, range(times))) + "\n"
    with minikernel.connect(kernel.file, scheme=scheme, timeout=PATIENCE) as client:
        ran, deadline = "", time.monotonic() + PATIENCE
        while ran != expected and time.monotonic() < deadline:  # the last may be on its way
            ran = client.run("print(*sorted(ran))", timeout=PATIENCE).stdout
    assert ran == expected


def execute(client: minikernel.MiniKernelClient, n: int) -> None:
    client.execute(f"ran = [*globals().get('ran', ()), {n}]")


def open_comm(client: minikernel.MiniKernelClient, n: int) -> None:
    if n == 0:
        code = "ran = []\nimport comm\ncomm.get_comm_manager().register_target('t', lambda c, m: "
        client.run(f"{code}ran.append(m['content']['data']))", timeout=PATIENCE).raise_for_error()
    opening = {"comm_id": f"c{n}", "target_name": "t", "data": n}
    client.shell_channel.send(client.session.msg("comm_open", opening))


@pytest.mark.parametrize("say", [execute, open_comm])
@pytest.mark.parametrize("scheme", [DEFAULT, CHANNEL_HMAC])
def test_what_was_said_last_has_its_effect(
    start_kernel: Callable[..., KernelProcess], scheme: str, say: Callable[..., Any]
) -> None:
    said_and_gone(started(start_kernel, scheme), scheme, 5, say)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("say", [execute, open_comm])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_was_said_last_has_its_effect_fifty_times(
    start_kernel: Callable[..., KernelProcess], scheme: str, say: Callable[..., Any]
) -> None:
    said_and_gone(started(start_kernel, scheme), scheme, 50, say)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_cell_with_two_megabytes_of_metadata_of_its_own(
    start_kernel: Callable[..., KernelProcess], scheme: str
) -> None:
    kernel = started(start_kernel, scheme)
    with minikernel.connect(kernel.file, scheme=scheme, timeout=PATIENCE) as client:
        msg = client.session.msg("execute_request", {"code": "ran = 'yes'", "silent": False})
        msg["metadata"] = {"cell": "x" * (2 << 20)}
        client.shell_channel.send(msg)
        assert client.get_shell_msg(PATIENCE)["content"]["status"] == "ok"
        assert client.run("ran", timeout=PATIENCE).value == "'yes'"


# the name of a client's messages


def joined(path: Path, name: str) -> minikernel.MiniKernelClient:
    """A client that begins under this `header.session`."""
    client = minikernel.MiniKernelClient(connection_file=str(path))
    client.load_connection_file()
    client.session.session = name
    client.start_channels()
    client.wait_for_ready(PATIENCE)
    return client


def test_an_observer_who_is_first_after_a_restart_locks_nobody_out(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    kernel = start_kernel(signature_scheme=CHANNEL_HMAC)
    invitation = tmp_path / "alice.json"
    names = ["--name", "alice", "--rights", "observe", "--output", str(invitation)]
    assert main(["invite", *names, "--connection-file", str(kernel.file)]) == 0
    with minikernel.connect(kernel.file, timeout=PATIENCE) as owner:
        recorded = owner.session.session
        assert owner.run("1", timeout=PATIENCE).value == "1"
        kernel.kill()
        kernel.start()
        with joined(invitation, recorded) as alice:
            assert alice.session.session == recorded
            assert owner.run("2", timeout=PATIENCE).value == "2"
            assert owner.session.session != recorded
            with joined(kernel.file, recorded) as another:  # a new client under the old name
                assert another.session.session != recorded
                assert another.run("3", timeout=PATIENCE).complete
            assert owner.auth_status()["control"].rejected == {"refused": 1}
