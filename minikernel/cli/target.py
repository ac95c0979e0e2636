"""Where results are written: a file that stays what it is, with its owner, mode and links."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import sys
from typing import TYPE_CHECKING

from minikernel.errors import ConfigError
from minikernel.kernel.signals import HELD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STDOUT = "-"
OURS_ALONE, NEW_FILE = 0o600, 0o666  # the latter less the umask


class Target:
    """A file to write, a pipe or device, or standard output.

    A regular file is replaced by a draft beside it if the draft can be made alike, with the same
    owner, mode and access list. Else it is overwritten, after its new size was reserved: so it is
    if it has other links, its directory can't be written, or it is a mount of its own. If the disk
    is full, it is as it was.

    Args:
        path: of the file; "-" is standard output.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return "standard output" if str(self._path) == STDOUT else str(self._path)

    def check(self) -> None:
        """Complain before the work, not after.

        Raises:
            ConfigError: it can't be written.
        """
        if str(self._path) == STDOUT:
            return
        status = self._status()
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"{str(self._path)!r} is a directory")
        place = self._path.resolve().parent if status is None else self._path
        if not os.access(place, os.W_OK) or (status is not None and stat.S_ISSOCK(status.st_mode)):
            raise ConfigError(f"{str(self._path)!r} can't be written")

    def write(self, content: bytes) -> None:
        """Write it, whole or not at all.

        Raises:
            OSError: it can't be written.
        """
        if str(self._path) == STDOUT:
            sys.stdout.flush()
            _pour(1, content)
            return
        status = self._status()
        if status is not None and not stat.S_ISREG(status.st_mode):
            with self._path.open("wb", buffering=0) as special:
                _pour(special.fileno(), content)
            return
        file = self._path.resolve()  # a link stays one
        with _signals_held():
            if status is None or status.st_nlink == 1:
                with contextlib.suppress(OSError):
                    _replace(file, content, status)
                    return
            _overwrite(file, content)

    def _status(self) -> os.stat_result | None:
        try:
            return self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{str(self._path)!r}: {error.strerror}") from None


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Keep signals from ending us with a draft left behind, or half a file."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _replace(file: Path, content: bytes, status: os.stat_result | None) -> None:
    """Put a draft into the file's place. Raises OSError; then nothing has changed."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    mode = NEW_FILE if status is None else OURS_ALONE
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb", buffering=0):
            _pour(descriptor, content)
            if status is not None:
                _make_alike(descriptor, file, status)
            os.fsync(descriptor)
        draft.replace(file)
    except BaseException:
        draft.unlink()
        raise


def _make_alike(descriptor: int, file: Path, status: os.stat_result) -> None:
    ours = os.fstat(descriptor)
    if (ours.st_uid, ours.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    if sys.platform == "linux":  # access lists among them
        wanted, inherited = _attributes(file), _attributes(descriptor)
        for name in inherited.keys() - wanted.keys():
            os.removexattr(descriptor, name)
        for name, value in wanted.items() - inherited.items():
            os.setxattr(descriptor, name, value)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _attributes(file: Path | int) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    except OSError:  # a file system without
        return {}


def _overwrite(file: Path, content: bytes) -> None:
    """Write into the file, after its new size was reserved. Raises OSError; it is as it was."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, NEW_FILE)
    with os.fdopen(descriptor, "wb", buffering=0):
        size = os.fstat(descriptor).st_size
        try:
            os.lseek(descriptor, size, os.SEEK_SET)
            _pour(descriptor, bytes(max(0, len(content) - size)))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        os.lseek(descriptor, 0, os.SEEK_SET)
        _pour(descriptor, content)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)


def _pour(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
