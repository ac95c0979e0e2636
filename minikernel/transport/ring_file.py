"""The file of a replay memory (channel-hmac, section 8), so that it survives kill -9.

A header, then the slots of `ReplayMemory`'s ring. Each write puts the digest and the free slot
behind it, which shows where the ring goes on. Written with pwrite, never mapped: a file that
somebody truncates must not kill the kernel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from minikernel.auth.keys import ring_mark
from minikernel.auth.replay_memory import CAPACITY, DIGEST_LENGTH, FREE
from minikernel.errors import ConfigError
from minikernel.transport.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from minikernel.auth.keys import SecretKey

MAGIC = b"minikernel ring\x01"
HEADER_LENGTH = len(MAGIC) + DIGEST_LENGTH
CLOSED = -1
PAGE = 4096  # bytes, or a multiple: a write that crosses its border may be cut there by kill -9
SUFFIX = ".ring"
LOCK_WAIT = 5.0  # seconds that a kernel waits for its predecessor on the same file to end
ORPHAN_AGE = 7 * 24 * 3600.0  # seconds without a write after which an orphan is removed


class RingFile:
    """The open, locked file of a replay memory.

    Args:
        path: of the file.
        key: of the connection file; a ring of another key starts empty.
        wait: seconds for a kernel that holds it to end.

    Raises:
        OSError: the file can't be had, is not a regular file of this user with one link, or is no
            ring.
        ConfigError: another kernel holds it.
    """

    def __init__(self, path: Path, key: SecretKey, *, wait: float = LOCK_WAIT) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._path = path
        self._file = os.open(path, flags, 0o600)
        try:
            _check_owner(self._file)
            _lock(self._file, path, wait)
            self.ring = self._read(MAGIC + ring_mark(key))
        except BaseException:
            os.close(self._file)
            raise

    def _read(self, header: bytes) -> bytes:
        """What an earlier run on this key left; else the file starts anew."""
        size = (CAPACITY + 1) * DIGEST_LENGTH
        found = os.pread(self._file, HEADER_LENGTH + size + 1, 0)
        if not MAGIC.startswith(found[: len(MAGIC)]):
            raise OSError("there is another file in its place")
        if found[:HEADER_LENGTH] == header and len(found) <= HEADER_LENGTH + size:
            ring = found[HEADER_LENGTH:]
            return ring[: len(ring) - len(ring) % DIGEST_LENGTH]
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, header, 0)
        return b""

    def record(self, slot: int, digest: bytes) -> None:
        """Write a digest and the free slot behind it. Raises OSError, if the disk is full say."""
        at = HEADER_LENGTH + (slot + 1) * DIGEST_LENGTH
        if slot == CAPACITY or at % PAGE == 0:  # apart, the free one first: one of two is no harm
            self._write((slot + 1) % (CAPACITY + 1), FREE)
            self._write(slot, digest)
        else:
            self._write(slot, digest + FREE)

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where the next run on this key looks for it."""
        try:
            return os.path.samestat(os.fstat(self._file), os.lstat(self._path))
        except OSError:
            return False

    @property
    def has_a_name(self) -> bool:
        """Whether the file is still anywhere: another kernel could begin with it."""
        return os.fstat(self._file).st_nlink > 0

    def rewrite(self, ring: bytes) -> None:
        """Write the whole ring. Raises OSError, as `record` does."""
        self._write(0, ring)

    def _write(self, slot: int, content: bytes) -> None:
        at = HEADER_LENGTH + slot * DIGEST_LENGTH
        if os.pwrite(self._file, content, at) != len(content):
            raise OSError("a short write to the replay memory")

    def close(self) -> None:
        """Let go of the lock; the file stays, for the next run on this key."""
        file, self._file = self._file, CLOSED
        if file != CLOSED:
            os.close(file)


def _check_owner(file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_nlink != 1:
        raise OSError("not a regular file of this user with one link")
    os.fchmod(file, 0o600)


def _lock(file: int, path: Path, wait: float) -> None:
    deadline = Clock.monotonic() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if Clock.monotonic() > deadline:
                raise ConfigError(
                    f"another kernel uses the replay memory {str(path)!r}: end that kernel first"
                ) from None
            Clock.sleep(0.02)
        else:
            return


def beside(connection_file: Path) -> Path:
    """Where its ring is: hidden from clients that look for connection files by part of a name."""
    return connection_file.with_name(f".{connection_file.name}{SUFFIX}")


def remove_orphans(directory: Path) -> None:
    """Remove rings whose connection file has gone and that were not written for 7 days."""
    for path in directory.glob(f".*{SUFFIX}"):
        with contextlib.suppress(OSError):
            old = Clock.time() - path.stat().st_mtime > ORPHAN_AGE
            if old and not path.with_name(path.name[1 : -len(SUFFIX)]).exists():
                remove_unlocked(path)


def remove_unlocked(path: Path) -> None:
    """Remove a ring that no kernel uses: its key is not used again. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.pread(file, len(MAGIC), 0) == MAGIC:
            path.unlink()
    finally:
        os.close(file)
