from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minikernel.kernel.chores import Chores
from minikernel.kernel.refusals import Log
from minikernel.transport.ring_file import MAGIC, beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
