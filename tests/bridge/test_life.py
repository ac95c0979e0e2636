"""How a bridge ends, and what it says."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import psutil
import pytest

from minikernel.bridge.life import is_stopped
from minikernel.transport import connection
from tests.bridge.protected import PATIENCE, environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient

SLOW = """
import atexit, os, time
@atexit.register
def wait():
    while not os.path.exists({gate!r}):
        time.sleep(0.01)
"""


def test_it_ends_with_a_kernel_that_was_told_to(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    protected = protect()
    client = connect(protected)
    reply = client.request(client.control, "shutdown_request", restart=False)
    assert reply == {"status": "ok", "restart": False}
    assert protected.wait() == 0
    assert protected.said == []
    wait_until(lambda: not protected.family())


def test_a_slow_shutdown_is_waited_for(
    protect: Callable[..., Protected], connect: Callable[..., RawClient], tmp_path: Path
) -> None:
    """And the rest goes on meanwhile: it is the front end that knows how long is too long."""
    protected = protect()
    client = connect(protected)
    gate = tmp_path / "gate"
    client.execute(SLOW.format(gate=str(gate)))
    assert client.request(client.control, "shutdown_request", restart=True)["restart"] is True
    with pytest.raises(subprocess.TimeoutExpired):
        protected.process.wait(0.5)
    gate.touch()
    assert protected.wait() == 0


def test_the_last_lines_of_a_kernel_that_dies_are_shown(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    protected = protect()
    client = connect(protected)
    client.send(
        client.shell,
        "execute_request",
        code="import os, sys; os.write(sys.__stderr__.fileno(), b'last words\\n'); os._exit(7)",
    )
    assert protected.wait() == 7
    assert protected.terminal.splitlines()[-1] == (
        "minikernel: the kernel has ended with exit code 7"
    )


def test_a_kernel_that_a_signal_has_ended(protect: Callable[..., Protected]) -> None:
    protected = protect()
    protected.kernel.send_signal(signal.SIGSEGV)
    assert protected.wait() == 128 + signal.SIGSEGV
    assert protected.said == ["minikernel: the kernel was ended by SIGSEGV"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_kernel_ends_with_the_bridge(
    protect: Callable[..., Protected], connect: Callable[..., RawClient], number: int
) -> None:
    protected = protect()
    client = connect(protected)
    client.send(client.shell, "execute_request", code="while True: pass")
    os.killpg(protected.process.pid, number)
    assert protected.wait() == (-number if number == signal.SIGKILL else 128 + number)
    wait_until(lambda: not protected.family())


def test_it_ends_with_whoever_has_started_it(
    protect: Callable[..., Protected], tmp_path: Path
) -> None:
    """A front end that was killed can tell nobody."""
    protected = protect(name="unused")
    file = tmp_path / "front.json"
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="k"
    )
    connection.write(file, fields)
    command = [sys.executable, "-m", "minikernel", "protect", "--run", str(protected.folder)]
    code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, *command, "-f", str(file), "--"],
        env=environment(tmp_path),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_until(lambda: connection.read(file)[0].shell_port)
    bridges = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait(PATIENCE)
    assert parent.stdout is not None
    try:
        _, alive = psutil.wait_procs(bridges, PATIENCE)
        assert not alive
        said = parent.stdout.read()  # until nobody has it any more: the kernel neither
    finally:
        for bridge in bridges:
            with contextlib.suppress(psutil.Error):
                bridge.kill()
        parent.stdout.close()
    assert said.endswith(b"whoever has started this has ended, and so does the kernel\n")


def test_a_restart_with_the_same_keys_and_ports(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    """As jupyter_server restarts; a request of before is not run again."""
    protected = protect()
    client = connect(protected)
    _, frames = client.message("execute_request", {"code": "ran = 1"})
    client.shell.send_multipart(frames)
    assert client.text("print(ran)") == "1\n"
    before = protected.info
    client.request(client.control, "shutdown_request", restart=True)
    assert protected.wait() == 0
    client.close()
    protected.start()
    again = connect(protected)
    again.shell.send_multipart(frames)
    assert protected.info == before
    assert again.text("print('ran' in globals())") == "False\n"


def test_a_restart_with_new_keys(
    protect: Callable[..., Protected], connect: Callable[..., RawClient]
) -> None:
    protected = protect()
    connect(protected)
    protected.process.terminate()
    protected.wait()
    protected.file.unlink()
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha512", key=uuid.uuid4().hex
    )
    connection.write(protected.file, fields)
    protected.start()
    protected.wait_for_ports()
    assert connect(protected, digest="sha512").execute("1")[0]["status"] == "ok"


def test_on_ipc(
    protect: Callable[..., Protected], connect: Callable[..., RawClient], short: Path
) -> None:
    protected = protect(transport="ipc", ip=str(short / "k"))
    assert connect(protected).execute("1")[0]["status"] == "ok"
    assert len(list(short.iterdir())) == 5
    protected.process.terminate()
    protected.wait()
    assert list(short.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"key": ""}, "the connection file has an empty key: a protected kernel needs one"),
        ({"signature_scheme": "null"}, "a protected kernel can't speak 'null', only hmac-..."),
        ({"signature_scheme": "hmac-x"}, "unknown signature_scheme 'hmac-x'"),
        ({"signature_scheme": "channel-hmac-sha256"}, "a protected kernel can't speak"),
        ({"ip": "192.0.2.1"}, "can't listen: Cannot assign requested address"),
        ({"transport": "ipc", "ip": "/tmp/" + "a" * 100}, "an ipc path of 107 bytes"),
    ],
)
def test_what_it_can_not_run_with(
    protect: Callable[..., Protected], fields: dict[str, str], said: str
) -> None:
    protected = protect(**fields)
    assert protected.wait() == 2
    (line,) = (line for line in protected.terminal.splitlines() if line.startswith("minikernel:"))
    assert said in line
    wait_until(lambda: not protected.family())


def test_whether_a_process_is_stopped() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not is_stopped(child.pid)
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: is_stopped(child.pid))
    finally:
        child.kill()
        child.communicate()
    assert not is_stopped(child.pid)
