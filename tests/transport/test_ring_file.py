from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.replay_memory import CAPACITY, DIGEST_LENGTH, ReplayMemory
from minikernel.errors import ConfigError, Replayed
from minikernel.transport import ring_file
from minikernel.transport.ring_file import RingFile, remove_orphans

if TYPE_CHECKING:
    from pathlib import Path

KEY = SecretKey(b"key")


def digest(n: int) -> bytes:
    return (n + 1).to_bytes(DIGEST_LENGTH, "little")


def admitted(path: Path, count: int, key: SecretKey = KEY) -> None:
    file = RingFile(path, key)
    memory = ReplayMemory(file.ring, file.record)
    for n in range(count):
        memory.admit(digest(n))
    file.close()


def remembers(path: Path, n: int, key: SecretKey = KEY) -> bool:
    file = RingFile(path, key)
    try:
        ReplayMemory(file.ring).admit(digest(n))
    except Replayed:
        return True
    finally:
        file.close()
    return False


@pytest.mark.parametrize("count", [1, CAPACITY, CAPACITY + 2, 2 * CAPACITY + 3])
def test_a_later_run_remembers(tmp_path: Path, count: int) -> None:
    path = tmp_path / "k.ring"
    admitted(path, count)
    assert remembers(path, count - 1)
    assert remembers(path, max(0, count - CAPACITY))
    assert not remembers(path, count)
    assert remembers(path, max(0, count - CAPACITY) - 1) is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_written_survives_kill_9(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from minikernel.auth.keys import SecretKey\n"
        "from minikernel.transport.ring_file import RingFile\n"
        "file = RingFile(Path(sys.argv[1]), SecretKey(b'key'))\n"
        f"file.record(0, {digest(7)!r})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "k.ring"
    child = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert child.returncode == -9
    assert remembers(path, 7)


def test_a_ring_of_another_key_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "k.ring"
    admitted(path, 3)
    assert not remembers(path, 1, SecretKey(b"another"))
    assert not remembers(path, 1)


@pytest.mark.parametrize("junk", [b"x", b"x" * 100, b"x" * (CAPACITY * DIGEST_LENGTH + 100)])
def test_a_file_of_another_shape_starts_empty(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "k.ring"
    path.write_bytes(junk)
    admitted(path, 1)
    assert remembers(path, 0)


def test_a_truncated_ring_remembers_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "k.ring"
    admitted(path, 10)
    os.truncate(path, ring_file.HEADER_LENGTH + 3 * DIGEST_LENGTH + 5)
    assert remembers(path, 2)
    assert not remembers(path, 3)


def test_a_file_that_is_not_ours_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.ring"
    (tmp_path / "other").touch()
    path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError):  # noqa: PT011 - ELOOP, or EMLINK on some systems
        RingFile(path, KEY)
    path.unlink()
    path.hardlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="one link"):
        RingFile(path, KEY)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="regular"):
        RingFile(path, KEY)


def test_a_ring_that_is_held_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_file, "LOCK_WAIT", 0)
    holder = RingFile(tmp_path / "k.ring", KEY)
    with pytest.raises(ConfigError, match="another kernel"):
        RingFile(tmp_path / "k.ring", KEY)
    holder.close()
    RingFile(tmp_path / "k.ring", KEY).close()


def test_only_old_orphans_that_nobody_holds_are_removed(tmp_path: Path) -> None:
    names = ("old", "young", "with a file", "held")
    for name in names:
        admitted(tmp_path / f"{name}.ring", 1)
    holder = RingFile(tmp_path / "held.ring", KEY)
    (tmp_path / "with a file.json").touch()
    for name in ("old", "with a file", "held"):
        os.utime(tmp_path / f"{name}.ring", (0, 0))
    remove_orphans(tmp_path)
    holder.close()
    assert sorted(p.stem for p in tmp_path.glob("*.ring")) == ["held", "with a file", "young"]
