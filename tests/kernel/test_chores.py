from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minikernel.kernel.chores import Chores
from minikernel.transport.log import Log
from minikernel.transport.ring_file import MAGIC, beside

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = "database or disk is full"


class Engine:
    """Has a history, of which a test says how it fares."""

    def __init__(self) -> None:
        self.history_problem: str | None = None
        self.saved = 0

    def save(self) -> None:
        self.saved += 1


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    return tmp_path / "terminal"


@pytest.fixture
def log(terminal: Path) -> Iterator[Log]:
    file = os.open(terminal, os.O_WRONLY | os.O_CREAT, 0o600)
    yield Log(lambda: file)
    os.close(file)


def test_a_history_that_can_not_be_written_is_said_once(
    tmp_path: Path, log: Log, terminal: Path
) -> None:
    engine = Engine()
    chores = Chores(engine, log, None, tmp_path)  # type: ignore[arg-type] # as much of an engine as it takes
    for problem in (None, FULL, FULL, "disk I/O error"):
        engine.history_problem = problem
        chores.tick()
    assert engine.saved == 4
    assert terminal.read_text() == f"minikernel: the history is kept in RAM only: {FULL}\n"


def test_it_is_said_later_if_another_line_comes_before(
    tmp_path: Path, log: Log, terminal: Path
) -> None:
    engine = Engine()
    chores = Chores(engine, log, None, tmp_path)  # type: ignore[arg-type] # likewise
    log.line("shell: refused")
    engine.history_problem = FULL
    while FULL not in terminal.read_text():
        chores.tick()
    assert terminal.read_text().splitlines() == [
        "minikernel: shell: refused",
        f"minikernel: the history is kept in RAM only: {FULL}",
    ]


def test_old_ring_files_are_removed(tmp_path: Path, log: Log) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    old = beside(folder / "gone.json")
    old.write_bytes(MAGIC)
    os.utime(old, (0, 0))
    chores = Chores(Engine(), log, None, folder)  # type: ignore[arg-type] # likewise
    chores.tick()
    assert not old.exists()


LOW = """
import os, resource, sys
from pathlib import Path
from minikernel.kernel.chores import FEW, Chores
from minikernel.transport.log import Log

class Engine:
    history_problem = None
    def save(self): pass

resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
chores = Chores(Engine(), Log(lambda: 2), None, Path(sys.argv[1]))
chores.tick()
before = chores.descriptors.count
taken = [os.dup(0) for _ in range(before - 50)]
for _ in range(3):
    chores.tick()
print(before, chores.descriptors.count)
"""


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="nothing tells what is open")
def test_descriptors_that_run_low_are_said_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOW, str(tmp_path)], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert 200 < before < 300
    assert after == 50
    assert done.stderr == "minikernel: descriptors run low: 50 of 300 are free\n"
