"""Starts a kernel in a session of its own (to be replaced by the reaper)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Kernel:
    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, folder: str) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            argv, env=env, cwd=cwd, start_new_session=True, stdin=subprocess.DEVNULL
        )
        self.pid = self._process.pid
        self.fd = os.pidfd_open(self.pid)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def poll(self) -> int | None:
        return self._process.poll()

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def start(argv: Sequence[str], env: Mapping[str, str], cwd: str, folder: str) -> Kernel:
    return Kernel(argv, env, cwd, folder)
