"""Protected kernels as jupyter_client starts, interrupts and restarts them, and as VS Code does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from minikernel.transport import connection
from tests.bridge.protected import IPYKERNEL, KERNELS, PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import RawClient

TIGHT = "while True: pass"
SLEEP = "import time; time.sleep(600)"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the kernelspec that `minikernel protect` has written."""
    prefix = tmp_path_factory.mktemp("prefix")
    command = [sys.executable, "-m", "minikernel", "protect", IPYKERNEL, "--prefix", str(prefix)]
    env = {**os.environ, "JUPYTER_PATH": str(KERNELS.parent)}
    subprocess.run(command, env=env, check=True, capture_output=True)
    return prefix / "share" / "jupyter" / "kernels"


@pytest.fixture
def manager(kernels: Path, tmp_path: Path) -> Iterator[KernelManager]:
    specs = KernelSpecManager(kernel_dirs=[str(kernels)], ensure_native_kernel=False)
    manager = KernelManager(
        kernel_spec_manager=specs,
        kernel_name=f"{IPYKERNEL}-protected",
        connection_file=str(tmp_path / "kernel.json"),
    )
    env = {**os.environ, "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    manager.start_kernel(env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield manager
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)


@pytest.fixture
def client(manager: KernelManager) -> Iterator[Any]:
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE)
    yield client
    client.stop_channels()


def errors(client: Any, msg_id: str) -> list[str]:
    """What went wrong in a cell, up to its idle."""
    found = []
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        if message["msg_type"] == "error":
            found.append(message["content"]["ename"])
        if message["content"].get("execution_state") == "idle":
            return found


def begun(client: Any, code: str) -> str:
    msg_id: str = client.execute(f"print('begun')\n{code}")
    while client.get_iopub_msg(timeout=PATIENCE)["content"].get("text") != "begun\n":
        pass
    return msg_id


@pytest.mark.parametrize("code", [TIGHT, SLEEP])
def test_the_manager_interrupts_once(manager: KernelManager, client: Any, code: str) -> None:
    msg_id = begun(client, code)
    manager.interrupt_kernel()
    assert errors(client, msg_id) == ["KeyboardInterrupt"]
    while (reply := client.get_shell_msg(timeout=PATIENCE))["parent_header"]["msg_id"] != msg_id:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    wait_until(lambda: errors(client, client.execute("1")) == [])


@pytest.mark.parametrize("now", [True, False])
def test_the_manager_restarts(manager: KernelManager, client: Any, now: bool) -> None:
    errors(client, client.execute("a = 1"))
    before = psutil.Process(manager.provisioner.pid)
    manager.restart_kernel(now=now)
    client.wait_for_ready(timeout=PATIENCE)
    assert not before.is_running() or before.status() == psutil.STATUS_ZOMBIE
    assert errors(client, client.execute("a")) == ["NameError"]


@pytest.mark.parametrize("now", [True, False])
def test_the_manager_shuts_down(manager: KernelManager, client: Any, now: bool) -> None:
    begun(client, "import os" if not now else TIGHT)
    client.stop_channels()
    mark = str(manager.connection_file).removesuffix("/kernel.json")
    wait_until(lambda: len(left(mark)) >= 2)
    manager.shutdown_kernel(now=now)
    wait_until(lambda: left(mark) == [])


def left(home: str) -> list[int]:
    """Bridge and kernel, by the HOME that they were given."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == home:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


class Editor:
    """What VS Code does with a kernelspec: TCP on 127.0.0.1, a file of the umask's mode."""

    def __init__(self, kernels: Path, directory: Path) -> None:
        self.file = directory / "kernel-v3.json"
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="an editor's"
        )
        connection.write(self.file, fields)
        self.file.chmod(0o644)
        spec = json.loads((kernels / f"{IPYKERNEL}-protected" / "kernel.json").read_text())
        self.interrupt_mode = spec["interrupt_mode"]
        argv = [str(self.file) if a == "{connection_file}" else a for a in spec["argv"]]
        self.process = subprocess.Popen(
            argv,
            env={**os.environ, **spec["env"], "HOME": str(directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_until(lambda: self.info["hb_port"])

    @property
    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = json.loads(self.file.read_text())
        return info

    def signal_all(self, number: int) -> None:
        """First to all descendants, then to the process."""
        process = psutil.Process(self.process.pid)
        for each in (*process.children(recursive=True), process):
            each.send_signal(number)


@pytest.fixture
def editor(kernels: Path, tmp_path: Path) -> Iterator[Editor]:
    editor = Editor(kernels, tmp_path)
    yield editor
    editor.process.kill()
    editor.process.communicate()
    wait_until(lambda: left(str(tmp_path)) == [])


def test_an_editor(editor: Editor, connect: Callable[..., RawClient], tmp_path: Path) -> None:
    assert editor.interrupt_mode == "message"
    client = connect(editor, session="one identity for all channels")
    for _ in range(3):
        for socket in (client.shell, client.control):
            assert client.request(socket, "kernel_info_request")["status"] == "ok"
    msg_id = client.send(client.shell, "execute_request", code=SLEEP)
    while client.receive(client.iopub)["header"]["msg_type"] != "execute_input":
        pass
    editor.signal_all(signal.SIGINT)  # an old one, or one that did not look
    assert client.request(client.control, "interrupt_request") == {"status": "ok"}
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    names = [m["content"].get("ename") for m in client.outputs(msg_id)]
    assert names.count("KeyboardInterrupt") == 1
    wait_until(lambda: client.execute("1")[0]["status"] == "ok")
    editor.signal_all(signal.SIGTERM)
    assert editor.process.wait(PATIENCE) == 128 + signal.SIGTERM
    wait_until(lambda: left(str(tmp_path)) == [])
