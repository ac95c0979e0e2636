from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minikernel.cli.target import Target
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.geteuid() == 0
OLD, NEW = b"old" * 1000, b"new" * 30_000
MORE = b"more than fits" * 10_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.ipynb"
    path.write_bytes(OLD)
    return path


def alone(file: Path) -> bool:
    return [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_is_replaced_whole(file: Path) -> None:
    before = file.stat().st_ino
    with file.open("rb") as reader:
        Target(file).write(NEW)
        assert reader.read() == OLD  # whoever reads it meanwhile has the old one
    assert file.read_bytes() == NEW
    assert file.stat().st_ino != before
    assert alone(file)


def test_a_new_file_has_the_mode_of_new_files(tmp_path: Path) -> None:
    Target(tmp_path / "new").write(NEW)
    (tmp_path / "other").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_is_kept(file: Path, mode: int) -> None:
    file.chmod(mode)
    Target(file).write(NEW)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_the_draft_of_a_private_file_is_private_from_the_start(file: Path) -> None:
    file.chmod(0o600)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom minikernel.cli.target import Target\n"
        "os.umask(0)\n"
        "real = os.open\n"
        "def opened(*args): print(args[2] & 0o077); return real(*args)\n"
        "os.open = opened\n"
        "Target(Path(sys.argv[1])).write(b'new')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
def test_the_owner_is_kept(file: Path) -> None:
    os.chown(file, 12345, 54321)
    file.chmod(0o600)
    Target(file).write(NEW)
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 54321, 0o600)


@pytest.mark.skipif(sys.platform != "linux", reason="extended attributes")
def test_attributes_are_kept(file: Path) -> None:
    try:
        os.setxattr(file, "user.mine", b"kept")
    except OSError:
        pytest.skip("this file system has none")
    Target(file).write(NEW)
    assert os.getxattr(file, "user.mine") == b"kept"


def test_hard_links_are_kept(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").hardlink_to(file)
    Target(file).write(NEW)
    assert (tmp_path / "other").read_bytes() == NEW
    Target(file).write(b"short")
    assert (tmp_path / "other").read_bytes() == b"short"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:
    (tmp_path / "sub").mkdir()
    if there:
        (tmp_path / "sub" / "real").write_bytes(OLD)
    link = tmp_path / "link"
    link.symlink_to("sub/real")
    Target(link).check()
    Target(link).write(NEW)
    assert link.is_symlink()
    assert (tmp_path / "sub" / "real").read_bytes() == NEW


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    Target(pipe).check()
    Target(pipe).write(b"new")
    assert os.read(reader, 9) == b"new"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Target(Path("-")).check()
    Target(Path("-")).write(NEW)
    assert capfdbinary.readouterr().out == NEW


@pytest.fixture
def limit() -> Iterator[None]:
    """No file may grow beyond what MORE needs: as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(MORE) - 1, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("links", [1, 2])
def test_a_full_disk_leaves_the_file_as_it_was(file: Path, tmp_path: Path, links: int) -> None:
    (tmp_path / "directory").mkdir()
    moved = file.rename(tmp_path / "directory" / "x")
    if links == 2:
        (tmp_path / "other").hardlink_to(moved)
    with pytest.raises(OSError, match="File too large"):
        Target(moved).write(MORE)
    assert moved.read_bytes() == OLD
    assert alone(moved)


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_a_file_in_a_directory_that_can_not_be_written(file: Path) -> None:
    file.parent.chmod(0o500)
    try:
        Target(file).check()
        Target(file).write(NEW)
        with pytest.raises(ConfigError, match="can't be written"):
            Target(file.with_name("new")).check()
    finally:
        file.parent.chmod(0o700)
    assert file.read_bytes() == NEW


def test_a_name_too_long_for_a_draft(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250)
    file.write_bytes(OLD)
    Target(file).write(NEW)
    assert file.read_bytes() == NEW
    assert alone(file)


@pytest.mark.parametrize("name", ["", "none/x", "x/y"])
def test_what_can_not_be_written_is_refused_before(file: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        Target(file.parent / name.replace("x", file.name)).check()


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_a_read_only_file_is_refused_before(file: Path) -> None:
    file.chmod(0o400)
    with pytest.raises(ConfigError, match="can't be written"):
        Target(file).check()
