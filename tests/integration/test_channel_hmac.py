"""channel-hmac as a whole: a kernel's process, and its clients over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from traitlets import TraitError

import minikernel
from minikernel.transport import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import KernelProcess

SCHEME = "channel-hmac-sha256"
CONNECTION_FIELDS = {"signature_scheme": SCHEME}
KERNEL_OPTIONS = ("--sessions", "100")
PATIENCE = 20
SLEEPING = "import time\nprint('started', flush=True)\ntime.sleep(60)"
FORKING = """
import os, sys
pid = os.fork()
if not pid:
    print('from the child', flush=True)
    os._exit(3)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print('from the parent')
status
"""


@pytest.fixture
def client(kernel: KernelProcess) -> Iterator[minikernel.MiniKernelClient]:
    with minikernel.connect(kernel.file, scheme=SCHEME, timeout=PATIENCE) as client:
        yield client
        reasons = {reason for row in client.ledger for reason in row.rejected}
        assert reasons <= {"no tag", "unknown session"}  # said before this client had joined


def test_cells(client: minikernel.MiniKernelClient) -> None:
    result = client.run("import sys; print('out'); print('err', file=sys.stderr); 6 * 7")
    assert (result.stdout, result.stderr, result.value) == ("out\n", "err\n", "42")
    failed = client.run("1 / 0", timeout=PATIENCE)
    assert failed.error is not None
    assert failed.error.ename == "ZeroDivisionError"
    status = client.auth_status()
    assert status.rejected == 0
    assert status["shell"].verified >= 2


def test_input(client: minikernel.MiniKernelClient) -> None:
    result = client.run("print(input('? '))", timeout=PATIENCE, on_input=lambda *_: "an answer")
    assert result.stdout == "an answer\n"


def test_other_requests(client: minikernel.MiniKernelClient) -> None:
    client.run("a_long_name = 1", timeout=PATIENCE)
    ask: dict[str, Any] = {"reply": True, "timeout": PATIENCE}
    assert "a_long_name" in client.complete("a_lo", **ask)["content"]["matches"]
    assert client.inspect("a_long_name", **ask)["content"]["found"]
    assert client.is_complete("if 1:", **ask)["content"]["status"] == "incomplete"
    history = client.history(hist_access_type="tail", n=1, **ask)["content"]["history"]
    assert history[0][2] == "a_long_name = 1"
    assert client.comm_info(**ask)["content"]["comms"] == {}
    assert client.kernel_info(**ask)["content"]["implementation"] == "minikernel"


def test_comms(client: minikernel.MiniKernelClient) -> None:
    client.run(
        "import comm\n"
        "def opened(channel, message):\n"
        "    channel.on_msg(lambda m: channel.send({'echo': m['content']['data']}))\n"
        "comm.get_comm_manager().register_target('echo', opened)",
        timeout=PATIENCE,
    ).raise_for_error()
    for msg_type, content in (
        ("comm_open", {"comm_id": "1", "target_name": "echo", "data": {}}),
        ("comm_msg", {"comm_id": "1", "data": {"n": 1}}),
    ):
        client.shell_channel.send(client.session.msg(msg_type, content))
    while (msg := client.get_iopub_msg(PATIENCE))["msg_type"] != "comm_msg":
        pass
    assert msg["content"]["data"] == {"echo": {"n": 1}}


def test_an_interrupt_by_message(client: minikernel.MiniKernelClient) -> None:
    def interrupt(msg: dict[str, Any]) -> None:
        if msg["content"].get("text") == "started\n":
            client.control_channel.send(client.session.msg("interrupt_request", {}))

    result = client.run(SLEEPING, timeout=PATIENCE, on_output=interrupt)
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"


def test_asyncio(kernel: KernelProcess) -> None:
    async def use() -> None:
        async with minikernel.connect_async(kernel.file, scheme=SCHEME) as client:
            assert (await client.run("6 * 7", timeout=PATIENCE)).value == "42"
            asked = await client.run(
                "print(input())", timeout=PATIENCE, on_input=lambda *_: "an answer"
            )
            assert asked.stdout == "an answer\n"
            assert client.ledger.rejected == 0

    asyncio.run(use())


def test_launch_interrupt_restart_and_end() -> None:
    with minikernel.launch(scheme=SCHEME, extra_arguments=["--history", "off"]) as client:

        def interrupt(msg: dict[str, Any]) -> None:
            if msg["content"].get("text") == "started\n":
                client.interrupt()

        result = client.run(SLEEPING, timeout=PATIENCE, on_output=interrupt)
        assert result.error is not None
        assert result.error.ename == "KeyboardInterrupt"
        client.run("gone = 1", timeout=PATIENCE)
        client.restart()
        assert client.run("'gone' in globals()", timeout=PATIENCE).value == "False"


@pytest.mark.parametrize("restart", [True, False])
def test_a_restart_can_be_told_from_an_end(
    start_kernel: Callable[..., KernelProcess], restart: bool
) -> None:
    kernel = start_kernel(**CONNECTION_FIELDS)
    with (
        minikernel.connect(kernel.file, scheme=SCHEME, timeout=PATIENCE) as one,
        minikernel.connect(kernel.file, scheme=SCHEME, timeout=PATIENCE) as other,
    ):
        one.shutdown(restart=restart)
        while (msg := other.get_iopub_msg(PATIENCE))["msg_type"] != "shutdown_reply":
            pass
        assert msg["content"]["restart"] is restart
    assert kernel.process.wait(PATIENCE) == 0


def test_there_is_no_place_for_more(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**CONNECTION_FIELDS)
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(minikernel.connect(kernel.file, scheme=SCHEME, timeout=PATIENCE))
            for _ in range(32)
        ]
        with pytest.raises(minikernel.TooManySessions, match="too many clients"):
            minikernel.connect(kernel.file, scheme=SCHEME, timeout=PATIENCE)
        for i, client in enumerate(clients):
            assert client.run(str(i), timeout=PATIENCE).value == str(i)


def test_a_forked_child_says_nothing(client: minikernel.MiniKernelClient) -> None:
    result = client.run(FORKING, timeout=PATIENCE)
    assert result.value == "3"
    assert "from the parent\n" in result.stdout
    assert client.run("6 * 7", timeout=PATIENCE).value == "42"
    assert client.ledger["iopub"].gaps == 0


@pytest.mark.slow
def test_what_a_slow_reader_misses_is_counted(client: minikernel.MiniKernelClient) -> None:
    shown, seen = 20_000, 0
    msg_id = client.execute(f"for i in range({shown}): display('x' * 2000)")
    assert client.get_shell_msg(PATIENCE)["content"]["status"] == "ok"
    assert client.ledger["iopub"].gaps == 0
    with contextlib.suppress(Empty):
        while True:
            seen += client.get_iopub_msg(1)["parent_header"].get("msg_id") == msg_id
    client.run("", timeout=PATIENCE)
    missing = client.ledger["iopub"].gaps
    assert missing > 0
    assert seen + missing == shown + len(["busy", "execute_input", "idle"])
    assert f"missing {missing}" in str(client.ledger)


@pytest.mark.parametrize(
    ("named", "expected"),
    [(SCHEME, "hmac-sha256"), (SCHEME, "clear-key"), ("hmac-sha256", SCHEME)],
)
def test_a_client_that_expects_another_scheme(
    kernel: KernelProcess, tmp_path: Path, named: str, expected: str
) -> None:
    file = tmp_path / "kernel.json"
    connection.write(file, {**kernel.info, "signature_scheme": named})
    with pytest.raises(minikernel.ConfigError, match=f"says scheme '{named}'"):
        minikernel.connect(file, scheme=expected)


def test_a_stock_client_fails_clearly(kernel: KernelProcess) -> None:
    stock = BlockingKernelClient(connection_file=str(kernel.file))
    with pytest.raises(TraitError, match="signature_scheme"):
        stock.load_connection_file()


@pytest.mark.parametrize(
    ("options", "mode", "complaint"),
    [
        (("--guards", "off"), 0o600, "guards"),
        (("--scheme", "hmac-sha256"), 0o600, "hmac-sha256"),
        ((), 0o644, "others can read it"),
    ],
)
def test_what_a_kernel_refuses(
    tmp_path: Path, options: tuple[str, ...], mode: int, complaint: str
) -> None:
    file = tmp_path / "kernel.json"
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme=SCHEME, key="k" * 32
    )
    connection.write(file, fields)
    file.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "run", "-f", str(file), *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "k" * 32 not in done.stderr
