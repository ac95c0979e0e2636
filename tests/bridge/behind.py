"""A small program that starts a kernel behind a reaper, and what is left of both."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE = 20  # seconds until a test gives up
# Says what it knows, sends the signals whose numbers it reads, and ends with the kernel.
PROGRAM = """
import os, select, sys
from minikernel.bridge import reaper
kernel = reaper.start(sys.argv[2:], os.environ, None, sys.argv[1])
print(kernel.pid, kernel.reaper, file=sys.stderr)
while True:
    ready = select.select([0, kernel.fd], [], [])[0]
    if kernel.fd in ready:
        print(kernel.poll(), file=sys.stderr)
        break
    numbers = os.read(0, 64).split()
    for number in numbers:
        kernel.signal(int(number))
    if not numbers:
        break
kernel.close()
"""


def new_folder() -> Path:
    """With a name as short as a bridge's: some kernels take no socket whose path is longer."""
    return Path(tempfile.mkdtemp(prefix="mk-", dir="/tmp"))


class Behind:
    """A kernel, its reaper, and the program that uses both in the place of a bridge.

    Args:
        folder: of the kernel's sockets, mode 0700.
        argv: of the kernel.
    """

    def __init__(self, folder: Path, argv: Sequence[str]) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            bufsize=1,
        )
        self.bridge = self.process.pid
        self.kernel, self.reaper = map(int, self.told().split())

    def told(self) -> str:
        """A line of the program in the place of a bridge."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def said(self) -> str:
        """A line of the kernel."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def signal(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{int(number)}\n")

    def kin(self) -> list[psutil.Process]:
        """What has the kernel's mark, and the reaper: all that is not a zombie."""
        return [p for p in psutil.process_iter() if p.pid == self.reaper or self._is_marked(p)]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("MINIKERNEL_FOLDER") == str(self.folder)
        except (psutil.Error, OSError):  # a zombie, or another user's
            return False

    def left(self) -> list[psutil.Process]:
        return [p for p in self.kin() if is_running(p.pid)]

    def wait_until_nothing_is_left(self) -> None:
        wait_until(lambda: not self.left() and not self.folder.exists())

    def end(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        for pid in (self.bridge, *(p.pid for p in self.left())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never came: {condition}")
        time.sleep(0.02)
