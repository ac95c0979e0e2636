"""A Jupyter of the tests' own: what clients find and write lies in a temporary directory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KERNELSPEC = Path(minikernel.__file__).parent / "cli" / "kernelspec"
MARK = "MINIKERNEL_TEST_RUN"  # every process that a test starts inherits it
PATIENCE = 20  # seconds that processes get to end after the last test


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The environment of clients; after the last test none of their processes is left."""
    directory = tmp_path_factory.mktemp("jupyter")
    _write_kernelspec(directory / "share" / "jupyter" / "kernels" / "minikernel")
    run = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JPY_PARENT_PID", raising=False)
        patch.setenv(MARK, run)
        patch.setenv("JUPYTER_PATH", str(directory / "share" / "jupyter"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(directory / name.lower()))
        _write_config(directory / "jupyter_config_dir")
        yield directory
    _no_process_is_left(run)


@pytest.fixture
def port_of() -> Callable[..., int]:
    """The port that a Jupyter server has chosen, once it serves; it writes it into a file."""

    def port_of(process: subprocess.Popen[bytes], runtime: Path, patience: float) -> int:
        deadline = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                said = json.loads((runtime / f"jpserver-{process.pid}.json").read_text())
                port: int = said["port"]
                return port
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        pytest.fail("the server does not start")

    return port_of


def _write_kernelspec(directory: Path) -> None:
    """Ours, with this interpreter: the same package may be installed for another one."""
    shutil.copytree(KERNELSPEC, directory)
    path = directory / "kernel.json"
    spec = json.loads(path.read_text())
    assert spec["argv"][0] == "python"
    spec["argv"][0] = sys.executable
    path.write_text(json.dumps(spec))


def _write_config(directory: Path) -> None:
    """Of front ends that are processes of their own: how they choose ports."""
    directory.mkdir()
    shutil.copy(Path(__file__).parents[1] / "ports.py", directory / "jupyter_config.py")


def _no_process_is_left(run: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while (left := _processes(run)) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.1)
    names = []
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            names.append(" ".join(process.cmdline()))
            process.kill()
    assert not names, f"still there after the last test: {names}"


def _processes(run: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            if process.pid != os.getpid() and process.environ().get(MARK) == run:
                found.append(process)
    return found
