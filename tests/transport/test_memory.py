from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.replay_memory import CAPACITY, DIGEST_LENGTH
from minikernel.errors import ConfigError, Replayed
from minikernel.transport.log import Log
from minikernel.transport.memory import DurableMemory
from minikernel.transport.ring_file import HEADER_LENGTH, RingFile

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = SecretKey(b"key")
DIGEST = b"d" * DIGEST_LENGTH
IN_RAM = "minikernel: the replay memory is kept in RAM only: "


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    return tmp_path / "terminal"


@pytest.fixture
def log(terminal: Path) -> Log:
    file = os.open(terminal, os.O_WRONLY | os.O_CREAT, 0o600)
    return Log(lambda: file)


def test_a_later_run_remembers(tmp_path: Path, log: Log, terminal: Path) -> None:
    for run in range(2):
        memory = DurableMemory(tmp_path / "k.ring", KEY, log)
        try:
            if run:
                with pytest.raises(Replayed):
                    memory.replays.admit(DIGEST)
            else:
                memory.replays.admit(DIGEST)
        finally:
            memory.close()
    assert terminal.read_text() == ""


def test_a_closed_memory_lets_go_of_its_file(tmp_path: Path, log: Log) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    memory.close()
    memory.close()
    RingFile(tmp_path / "k.ring", KEY).close()


def test_without_a_file_it_is_kept_in_ram_and_said(
    tmp_path: Path, log: Log, terminal: Path
) -> None:
    memory = DurableMemory(tmp_path / "missing" / "k.ring", KEY, log)
    memory.replays.admit(DIGEST)
    with pytest.raises(Replayed):
        memory.replays.admit(DIGEST)
    memory.close()
    assert terminal.read_text() == IN_RAM + "No such file or directory\n"


def test_a_disk_that_fails_takes_the_past_and_not_the_kernel(
    tmp_path: Path, log: Log, terminal: Path
) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    assert memory._ring is not None
    memory._ring.close()  # what is written now fails
    for n in (1, 2):
        memory.replays.admit(bytes([n]) * DIGEST_LENGTH)
        with pytest.raises(Replayed):
            memory.replays.admit(bytes([n]) * DIGEST_LENGTH)
    assert terminal.read_text() == IN_RAM + "Bad file descriptor\n"
    memory.close()


def test_what_the_file_missed_is_written_at_the_end_if_not_before(
    tmp_path: Path, log: Log, terminal: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    digests = [bytes([n]) * DIGEST_LENGTH for n in range(1, 101)]
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
        for digest in digests:
            memory.replays.admit(digest)
        memory.catch_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    memory.close()
    assert len(terminal.read_text().splitlines()) == 1
    later = DurableMemory(tmp_path / "k.ring", KEY, log)
    for digest in digests:
        with pytest.raises(Replayed):
            later.replays.admit(digest)
    later.close()


def test_a_ring_that_went_round_is_written_whole(tmp_path: Path, log: Log) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    digests = [n.to_bytes(DIGEST_LENGTH, "little") for n in range(1, CAPACITY + 100)]
    for digest in digests:
        memory.replays.admit(digest)
    memory._is_behind = True
    os.truncate(tmp_path / "k.ring", HEADER_LENGTH)
    memory.close()
    later = DurableMemory(tmp_path / "k.ring", KEY, log)
    later.replays.admit(digests[98])  # the last that was forgotten
    with pytest.raises(Replayed):
        later.replays.admit(digests[-1])
    later.close()


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.with_name("other").write_bytes(path.read_bytes()[:HEADER_LENGTH])
    path.with_name("other").replace(path)


@pytest.mark.parametrize("lose", [removed, replaced])
def test_a_file_that_is_lost_while_it_runs_is_noticed_and_made_anew(
    tmp_path: Path, log: Log, terminal: Path, lose: Callable[[Path], None]
) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    memory.replays.admit(DIGEST)
    memory.catch_up()
    assert terminal.read_text() == ""
    lose(tmp_path / "k.ring")
    memory.catch_up()
    assert terminal.read_text() == "minikernel: the replay memory's file was removed or replaced\n"
    memory.replays.admit(b"e" * DIGEST_LENGTH)
    memory.close()
    later = DurableMemory(tmp_path / "k.ring", KEY, log)
    for known in (DIGEST, b"e" * DIGEST_LENGTH):
        with pytest.raises(Replayed):
            later.replays.admit(known)
    later.close()


def linked(path: Path, other: Path) -> None:
    other.hardlink_to(path)
    path.unlink()


@pytest.mark.parametrize("move", [Path.rename, linked])
def test_a_file_that_was_moved_stays_locked_until_the_end(
    tmp_path: Path, log: Log, move: Callable[[Path, Path], None]
) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    places = [tmp_path / name for name in ("a.ring", "b.ring")]
    for place in places:
        move(tmp_path / "k.ring", place)
        memory._retry_at = 0.0
        memory.catch_up()
    for place in (tmp_path / "k.ring", *places):
        with pytest.raises(ConfigError, match="another kernel"):
            RingFile(place, KEY, wait=0.0)
    memory.close()
    for place in (tmp_path / "k.ring", *places):
        RingFile(place, KEY, wait=0.0).close()


def test_files_that_are_gone_are_let_go_of(tmp_path: Path, log: Log) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(5):
        removed(tmp_path / "k.ring")
        memory._retry_at = 0.0
        memory.catch_up()
    assert len([*Path("/dev/fd").iterdir()]) == before
    memory.close()


def test_what_somebody_has_put_in_its_place_is_left_alone(
    tmp_path: Path, log: Log, terminal: Path
) -> None:
    memory = DurableMemory(tmp_path / "k.ring", KEY, log)
    memory.replays.admit(DIGEST)
    removed(tmp_path / "k.ring")
    (tmp_path / "k.ring").write_text("somebody's")
    for _ in range(3):
        memory.catch_up()
    with pytest.raises(Replayed):
        memory.replays.admit(DIGEST)
    memory.close()
    assert (tmp_path / "k.ring").read_text() == "somebody's"
    assert terminal.read_text() == "minikernel: the replay memory's file was removed or replaced\n"
