"""The processes of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from minikernel.bridge import processes
from minikernel.bridge.processes import Process
from tests.bridge.behind import wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["/proc", "ps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Both ways to list them, as far as this machine has them."""
    if request.param == "ps":
        if shutil.which("ps") is None:
            pytest.skip("there is no ps here")
        monkeypatch.setattr(processes, "PROC", str(tmp_path))
    elif sys.platform != "linux":
        pytest.skip("there is no /proc here")
    return str(request.param)


def fields(process: Process) -> tuple[int, int, int]:
    return (process.pid, process.parent, process.session)


@pytest.mark.usefixtures("way")
def test_each_has_its_parent_and_session() -> None:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        listed = {process.pid: process for process in processes.listed()}
    finally:
        child.kill()
        child.wait()
    assert fields(listed[child.pid]) == (child.pid, os.getpid(), child.pid)
    assert fields(listed[os.getpid()]) == (os.getpid(), os.getppid(), os.getsid(0))
    assert 1 in listed or sys.platform != "linux"


@pytest.mark.usefixtures("way")
def test_a_name_with_brackets_and_spaces_is_no_field(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 1 (b"
    program.symlink_to(sys.executable)
    child = subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        listed = [fields(process) for process in processes.listed()]
        assert (child.pid, os.getpid(), os.getsid(0)) in listed
    finally:
        child.kill()
        child.communicate()


@pytest.mark.usefixtures("way")
def test_a_family_is_all_descendants() -> None:
    child = subprocess.Popen(
        ["sh", "-c", "sleep 600 & setsid sh -c 'sleep 600 & wait' & echo; wait"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    known = psutil.Process(child.pid)
    try:
        while len(descendants := known.children(recursive=True)) != 3:
            assert child.poll() is None
        assert processes.family(child.pid, processes.listed()) == {p.pid for p in descendants}
    finally:
        for each in (*known.children(recursive=True), known):
            each.kill()
        child.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a /proc")
def test_one_that_has_ended_is_not_listed_but_one_whose_main_thread_has_is() -> None:
    program = (
        "import ctypes, threading\n"
        "threading.Thread(target=input).start()\n"
        "print(flush=True)\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    known = psutil.Process(child.pid)
    wait_until(lambda: known.status() == psutil.STATUS_ZOMBIE)
    try:
        assert child.pid in [process.pid for process in processes.listed()]
        child.kill()
        wait_until(lambda: child.pid not in [process.pid for process in processes.listed()])
        assert known.status() == psutil.STATUS_ZOMBIE
    finally:
        child.kill()
        child.communicate()


def test_a_family_without_end_is_none() -> None:
    circle = [Process(1, 0, 1), Process(2, 4, 1), Process(3, 2, 1), Process(4, 3, 1)]
    assert processes.family(2, circle) == {3, 4}
    assert processes.family(0, [Process(0, 0, 0), Process(1, 0, 1)]) == {1}
    assert processes.family(7, circle) == set()


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * 200_000)
    assert processes.content(str(tmp_path / "file")) == b"a" * 200_000
    assert processes.content(str(tmp_path / "missing")) is None
    assert processes.content(str(tmp_path)) is None
