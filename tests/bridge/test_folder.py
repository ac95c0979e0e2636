"""A folder that is removed in the end, and nothing else."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from minikernel.bridge import folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours"
    path.mkdir(mode=0o700)
    return path


def test_it_is_removed_with_all_that_is_in_it(ours: Path) -> None:
    (ours / "file").write_text("x")
    (ours / "a" / "b").mkdir(parents=True)
    (ours / "a" / "b" / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(ours / "s"))
        os.mkfifo(ours / "pipe")
        folder.remove(folder.look_at(str(ours)))
    assert not ours.exists()


def test_no_link_is_followed(ours: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (ours / "to folder").symlink_to(kept)
    (ours / "to file").symlink_to(kept / "file")
    (ours / "to nothing").symlink_to(kept / "missing")
    os.link(kept / "file", ours / "hard")
    folder.remove(folder.look_at(str(ours)))
    assert not ours.exists()
    assert (kept / "file").read_text() == "x"


@pytest.mark.parametrize("way", ["another folder", "link", "file", "nothing"])
def test_what_has_its_name_later_stays(ours: Path, tmp_path: Path, way: str) -> None:
    found = folder.look_at(str(ours))
    ours.rename(tmp_path / "moved")
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (other / "file").write_text("x")
    if way == "another folder":
        other.rename(ours)
    elif way == "link":
        ours.symlink_to(tmp_path / "moved")
    elif way == "file":
        ours.write_text("x")
    folder.remove(found)
    assert (tmp_path / "moved").is_dir()
    assert way == "nothing" or ours.exists()
    assert ((ours if way == "another folder" else other) / "file").read_text() == "x"


def test_a_folder_that_cannot_be_emptied_is_no_error(ours: Path) -> None:
    inner = ours / "inner"
    inner.mkdir(mode=0o000)
    folder.remove(folder.look_at(str(ours)))
    if os.geteuid() != 0:
        inner.chmod(0o700)


@pytest.mark.parametrize(
    ("mode", "said"), [(0o755, "0700"), (0o770, "0700"), (0o707, "0700"), (0o500, "0700")]
)
def test_one_that_others_can_enter_is_refused(ours: Path, mode: int, said: str) -> None:
    ours.chmod(mode)
    with pytest.raises(OSError, match=said):
        folder.look_at(str(ours))


def test_what_is_no_folder_is_refused(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ours)
    (tmp_path / "file").touch()
    for name, said in (
        ("link", "Not a directory"),
        ("file", "Not a directory"),
        ("no", "No such file"),
    ):
        with pytest.raises(OSError, match=said):
            folder.look_at(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_is_refused(ours: Path) -> None:
    os.chown(ours, 12345, 12345)
    with pytest.raises(PermissionError, match="our own"):
        folder.look_at(str(ours))
