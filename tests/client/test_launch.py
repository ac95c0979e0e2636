from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import minikernel
from minikernel.client.launch import RECONNECT

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK: dict[str, Any] = {"extra_arguments": ["--history", "off"]}


@pytest.fixture
def connection_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a connection file to which nobody listens."""

    def write(**fields: Any) -> Path:
        path = tmp_path / "kernel.json"
        ports = dict.fromkeys(
            ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"), 9
        )
        path.touch(0o600)
        path.write_text(json.dumps({**ports, "ip": "127.0.0.1", "key": "secret", **fields}))
        return path

    return write


@pytest.fixture
def new_children() -> Callable[[], set[psutil.Process]]:
    """The child processes that the test has started and not ended."""
    before = set(psutil.Process().children())
    return lambda: set(psutil.Process().children()) - before


def test_nothing_is_left_when_the_client_is_closed() -> None:
    with minikernel.launch(**QUICK) as client:
        pid = int(client.run("import os; os.getpid()").value or 0)
        file = Path(client.connection_file)
        assert psutil.pid_exists(pid)
        assert file.stat().st_mode & 0o777 == 0o600
    assert not psutil.pid_exists(pid)
    assert not file.exists()


def test_nothing_is_left_of_a_kernel_that_does_not_start(
    new_children: Callable[[], set[psutil.Process]],
) -> None:
    with pytest.raises(minikernel.KernelDied):
        minikernel.launch(extra_arguments=["--no-such-option"])
    assert not new_children()


def test_nothing_is_left_after_an_exception(
    new_children: Callable[[], set[psutil.Process]],
) -> None:
    client = minikernel.launch(**QUICK)
    with pytest.raises(LookupError), client:
        raise LookupError
    assert not new_children()
    assert not Path(client.connection_file).exists()


def test_no_warning_at_the_end_of_a_program() -> None:
    program = """
        import asyncio, minikernel
        with minikernel.launch(extra_arguments=["--history", "off"]) as client:
            client.run("1")
            client.restart()
        async def main():
            async with minikernel.launch_async(extra_arguments=["--history", "off"]) as client:
                await client.run("1")
        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_environment_and_directory(tmp_path: Path) -> None:
    with minikernel.launch(env={"SOME_VARIABLE": "x"}, cwd=tmp_path, **QUICK) as client:
        code = "import os; print(os.environ['SOME_VARIABLE'], 'PATH' in os.environ, os.getcwd())"
        assert client.run(code).stdout == f"x {'PATH' in os.environ} {tmp_path.resolve()}\n"


def test_the_trace_begins_with_the_first_message() -> None:
    events: list[minikernel.TraceEvent] = []
    with minikernel.launch(trace=events.append, **QUICK):
        pass
    assert events[0].msg_type == "kernel_info_request"
    assert events[0].size == sum(map(len, events[0].frames))


def test_the_kernels_log_goes_where_it_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with log.open("wb") as file, pytest.raises(minikernel.KernelDied):
        minikernel.launch(extra_arguments=["--no-such-option"], stderr=file)
    assert "--no-such-option" in log.read_text()


def test_ipc(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # an ipc path must be short
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", directory)
        with minikernel.launch(transport="ipc", **QUICK) as client:
            assert client.run("1").value == "1"
            assert client.ip.startswith(directory)
        assert list(Path(directory).iterdir()) == []  # nor the replay memory: its key is spent


def test_restart_and_interrupt(abandon: Callable[..., None]) -> None:
    with minikernel.launch(**QUICK) as client:
        client.run("x = 1")
        assert client.manager is not None
        before = client.manager.provisioner.pid  # type: ignore[union-attr]
        abandon(client)
        client.restart()
        assert (
            client.run("import os; ('x' in globals(), os.getpid())").value != f"(False, {before})"
        )
        assert client.run("'x' in globals()").value == "False"
        assert client.is_alive()
        assert client.ledger.rejected == 0
        abandon(client)
        client.interrupt()
        client.run("1", timeout=20)
        assert client.run("2").value == "2"


def test_a_kernel_that_dies_ends_the_wait_and_can_be_restarted() -> None:
    with minikernel.launch(**QUICK) as client:
        with pytest.raises(minikernel.KernelDied):
            client.run("print('last words', flush=True); import os; os._exit(3)")
        assert not client.is_alive()
        client.restart()
        assert client.run("2").value == "2"


def test_a_kernel_that_is_killed_leaves_nothing() -> None:
    with minikernel.launch(**QUICK) as client:
        pid = int(client.run("import os; os.getpid()").value or 0)
        os.kill(pid, signal.SIGKILL)
    assert not psutil.pid_exists(pid)
    assert not Path(client.connection_file).exists()


def test_without_authentication_if_that_is_asked_for_by_name() -> None:
    with minikernel.launch(scheme="null", **QUICK) as client:
        assert client.run("1").value == "1"
        assert json.loads(Path(client.connection_file).read_text())["key"] == ""
        with minikernel.connect(client.connection_file, scheme="null") as other:
            assert other.run("2").value == "2"
        with pytest.raises(minikernel.ConfigError, match="empty key"):
            minikernel.connect(client.connection_file)


def test_another_hash() -> None:
    with minikernel.launch(scheme="hmac-sha512", **QUICK) as client:
        assert client.run("1").value == "1"
        with minikernel.connect(client.connection_file, scheme="hmac-sha512") as other:
            assert other.run("2").value == "2"
        with pytest.raises(minikernel.ConfigError, match="hmac-sha512"):
            minikernel.connect(client.connection_file, scheme="hmac-sha256")


def test_two_clients_of_one_kernel_get_their_own_replies() -> None:
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(minikernel.launch(**QUICK))
        assert one.manager is not None
        two = one.manager.client()
        two.start_channels()
        stack.callback(two.close)
        for i in range(5):
            assert one.run(f"{i}", timeout=20).value == str(i)
            assert two.run(f"{-i}", timeout=20).value == str(-i)
        assert one.ledger.rejected == two.ledger.rejected == 0


def test_connecting_to_a_busy_kernel(
    client: minikernel.MiniKernelClient, abandon: Callable[..., None]
) -> None:
    abandon(client)
    with minikernel.connect(client.connection_file, timeout=20) as other:
        other.interrupt()
    client.run("1", timeout=20)


def test_sockets_reconnect_fast_while_a_kernel_starts(client: minikernel.MiniKernelClient) -> None:
    for channel in (client.shell_channel, client.iopub_channel, client.control_channel):
        assert channel.socket.reconnect_ivl == RECONNECT


@pytest.mark.parametrize("scheme", ["hmac-nothing", "sha256", ""])
def test_an_unknown_scheme_starts_nothing(
    scheme: str, new_children: Callable[[], set[psutil.Process]]
) -> None:
    with pytest.raises(minikernel.ConfigError, match="signature_scheme"):
        minikernel.launch(scheme=scheme)
    assert not new_children()


def test_an_unknown_kernel_name() -> None:
    with pytest.raises(minikernel.ConfigError, match="no-such-kernel"):
        minikernel.launch(kernel_name="no-such-kernel")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(minikernel.ConfigError, match=r"gone\.json"):
        minikernel.connect(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("fields", "scheme", "complaint"),
    [
        ({"key": ""}, None, "empty key"),
        ({"key": ""}, "hmac-sha256", "empty key"),
        ({"key": "", "signature_scheme": "null"}, None, "unauthenticated"),
        ({"signature_scheme": "hmac-nothing"}, None, "hmac-nothing"),
        ({"signature_scheme": "hmac-sha512"}, "hmac-sha256", "hmac-sha512"),
        ({}, "hmac-sha512", "hmac-sha256"),
        ({}, "null", "empty key"),
        ({"shell_port": "x"}, None, "shell_port"),
        ({"transport": "carrier pigeon"}, None, "carrier pigeon"),
    ],
)
def test_a_file_that_is_refused(
    connection_file: Callable[..., Path],
    fields: dict[str, Any],
    scheme: str | None,
    complaint: str,
) -> None:
    with pytest.raises(minikernel.ConfigError, match=complaint):
        minikernel.connect(connection_file(**fields), scheme=scheme)


def test_a_kernel_that_is_not_there(connection_file: Callable[..., Path]) -> None:
    with pytest.raises(minikernel.KernelDied, match=r"did not answer within 0\.1 seconds"):
        minikernel.connect(connection_file(), timeout=0.1)


def test_a_broken_hash_is_warned_about(connection_file: Callable[..., Path]) -> None:
    with (
        pytest.warns(UserWarning, match="hmac-md5"),
        pytest.raises(minikernel.KernelDied),
    ):
        minikernel.connect(connection_file(signature_scheme="hmac-md5"), timeout=0.1)


def test_a_file_that_others_can_read_is_logged(
    connection_file: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = connection_file()
    path.chmod(0o644)
    with pytest.raises(minikernel.KernelDied):
        minikernel.connect(path, timeout=0.1)
    assert "readable by others" in caplog.text


@pytest.mark.parametrize("scheme", ["clear-key", "challenge-once", "channel-hmac-sha256"])
def test_a_scheme_of_our_own(scheme: str, new_children: Callable[[], set[psutil.Process]]) -> None:
    with minikernel.launch(scheme=scheme) as client:
        assert client.run("6 * 7").value == "42"
        client.restart()
        assert client.run("6 * 7").value == "42"
    assert not new_children()
