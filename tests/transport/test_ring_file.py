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
from minikernel.transport.ring_file import RingFile, beside, remove_orphans

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


@pytest.mark.parametrize(
    "left",
    [b"", ring_file.MAGIC[:5], ring_file.MAGIC + bytes(CAPACITY * DIGEST_LENGTH + 100)],
    ids=["nothing", "half a header", "too much"],
)
def test_a_ring_of_another_length_starts_empty(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "k.ring"
    path.write_bytes(left)
    admitted(path, 1)
    assert remembers(path, 0)


def test_a_file_of_somebody_is_left_alone(tmp_path: Path) -> None:
    path = beside(tmp_path / "k.json")
    path.write_text("saturn's")
    with pytest.raises(OSError, match="another file"):
        RingFile(path, KEY)
    os.utime(path, (0, 0))
    remove_orphans(tmp_path)
    assert path.read_text() == "saturn's"


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
    rings = {name: beside(tmp_path / name) for name in ("old", "young", "with a file", "held")}
    for ring in rings.values():
        admitted(ring, 1)
    holder = RingFile(rings["held"], KEY)
    (tmp_path / "with a file").touch()
    for name in ("old", "with a file", "held"):
        os.utime(rings[name], (0, 0))
    remove_orphans(tmp_path)
    holder.close()
    assert [name for name, ring in rings.items() if not ring.exists()] == ["old"]


TORN = """
import os, resource, sys
from pathlib import Path
from minikernel.auth.keys import SecretKey
from minikernel.auth.replay_memory import DIGEST_LENGTH, FREE
from minikernel.transport.ring_file import HEADER_LENGTH, RingFile
path = Path(sys.argv[1])
file = RingFile(path, SecretKey(b"key"))
slot = (4096 - HEADER_LENGTH) // DIGEST_LENGTH - 1
filled = [(n + 1).to_bytes(DIGEST_LENGTH, "little") for n in range(600)]
filled[slot] = FREE
file.rewrite(b"".join(filled))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    file.record(slot, b"d" * DIGEST_LENGTH)
except OSError:
    pass
else:
    raise AssertionError("nothing was cut")
with path.open("rb") as content:
    content.seek(HEADER_LENGTH + slot * DIGEST_LENGTH)
    assert content.read(DIGEST_LENGTH) == FREE
"""


def test_a_record_that_is_cut_at_the_border_of_a_page_leaves_a_free_slot(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", TORN, str(tmp_path / "k.ring")], check=True, timeout=60)


@pytest.mark.parametrize("count", [253, 254, 255, 256, 510, CAPACITY, CAPACITY + 255])
def test_two_free_slots_forget_nothing(tmp_path: Path, count: int) -> None:
    """What a kill between the two writes leaves."""
    path = tmp_path / "k.ring"
    admitted(path, count)
    with path.open("r+b") as file:
        file.seek(ring_file.HEADER_LENGTH + ((count + 1) % (CAPACITY + 1)) * DIGEST_LENGTH)
        file.write(bytes(DIGEST_LENGTH))
    again = RingFile(path, KEY)
    memory = ReplayMemory(again.ring, again.record)
    for n in range(count, count + 3):
        memory.admit(digest(n))
    for n in (max(0, count - CAPACITY + 4), count - 1, count + 2):
        with pytest.raises(Replayed):
            memory.admit(digest(n))
    again.close()
