"""Somebody else's kernel behind a bridge, as a front end starts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from minikernel.transport import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE = 20  # seconds until a test gives up
KERNELS = Path(sys.prefix) / "share" / "jupyter" / "kernels"  # of ipykernel and xeus-python
IPYKERNEL, XEUS = "python3", "xpython"


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never came: {condition}")
        time.sleep(0.02)


def write_kernelspec(folder: Path, argv: Sequence[str], **fields: Any) -> Path:
    """A kernelspec; the path of its folder."""
    folder.mkdir(exist_ok=True)
    spec = {"argv": list(argv), "display_name": "a kernel", "language": "python", **fields}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder


def environment(directory: Path) -> dict[str, str]:
    """Ours, without a front end, and with nothing of the user's."""
    found = {k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"}
    return {**found, "IPYTHONDIR": str(directory / "ipython"), "HOME": str(directory)}


class Protected:
    """`minikernel protect --run` on a connection file of our own.

    Args:
        directory: for the connection file and what is said on the terminal.
        kernel: name of an installed kernel, or folder of a kernelspec.
        options: of `protect --run`.
        fields: of the connection file.
    """

    def __init__(
        self, directory: Path, kernel: str | Path = IPYKERNEL, *options: str, **fields: Any
    ) -> None:
        self.file = directory / "kernel.json"
        self.log = directory / "terminal.txt"
        self.folder = KERNELS / kernel
        assert (self.folder / "kernel.json").exists(), "ipykernel and xeus-python are test tools"
        self.options = options
        if not self.file.exists():
            defaults = connection.new_fields(
                transport="tcp",
                ip="127.0.0.1",
                signature_scheme="hmac-sha256",
                key=uuid.uuid4().hex,
            )
            connection.write(self.file, {**defaults, **fields})
        self.start()
        self.wait_for_ports()

    def start(self) -> None:
        command = [sys.executable, "-m", "minikernel", "protect", "--run", str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options, "-f", str(self.file), "--"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.file.parent,
                env=environment(self.file.parent),
            )

    def wait_for_ports(self) -> None:
        wait_until(lambda: self.info["shell_port"] or self.process.poll() is not None)

    @property
    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = json.loads(self.file.read_text())
        return info

    @property
    def terminal(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def said(self) -> list[str]:
        """What the bridge has said there, besides which ports are open: ipykernel has one."""
        lines = [line for line in self.terminal.splitlines() if line.startswith("minikernel:")]
        return [line for line in lines if line not in self.open_ports]

    @property
    def open_ports(self) -> list[str]:
        """Lines of the bridge that name ports."""
        return [line for line in self.terminal.splitlines() if "open to users of" in line]

    def family(self) -> list[psutil.Process]:
        """The kernel and what it has started, by the mark in their environment."""
        mark = str(self.file.parent)
        return [p for p in psutil.process_iter() if _home(p) == mark and _is_marked(p)]

    @property
    def kernel(self) -> psutil.Process:
        """The kernel's process, the leader of its session."""
        wait_until(self.family)
        found = [p for p in self.family() if os.getsid(p.pid) == p.pid]
        assert len(found) == 1
        return found[0]

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not self.family())


def _home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except (psutil.Error, OSError):
        return None


def _is_marked(process: psutil.Process) -> bool:
    try:
        return "MINIKERNEL_FOLDER" in process.environ()
    except (psutil.Error, OSError):
        return False
