"""A replay memory that survives the process, while the disk lets it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from minikernel.auth.replay_memory import ReplayMemory
from minikernel.errors import ConfigError
from minikernel.transport.clock import Clock
from minikernel.transport.ring_file import RingFile, remove_unlocked

if TYPE_CHECKING:
    from pathlib import Path

    from minikernel.auth.keys import SecretKey
    from minikernel.transport.log import Log

RETRY = 2.0  # seconds until a file that could not be written is tried again


class DurableMemory:
    """What was accepted before, in a ring file; in RAM only while that fails.

    Args:
        path: of the ring file.
        key: of the connection file.
        log: told when it fails.
    """

    def __init__(self, path: Path, key: SecretKey, log: Log) -> None:
        self._log = log
        self._path, self._key = path, key
        self._ring: RingFile | None = None
        self._moved: list[RingFile] = []  # files with other names now, which stay locked
        self._is_behind = False  # the file has missed something
        self._retry_at = 0.0  # of the monotonic clock
        try:
            self._ring = RingFile(path, key)
        except OSError as problem:
            self._tell(problem)
            self.replays = ReplayMemory()
        else:
            self.replays = ReplayMemory(self._ring.ring, self._record)

    def _record(self, slot: int, digest: bytes) -> None:
        """A disk that is full takes the memory of the past, not the kernel."""
        if self._ring is None or self._is_behind:
            return
        try:
            self._ring.record(slot, digest)
        except OSError as problem:
            self._is_behind = True
            self._retry_at = Clock.monotonic() + RETRY
            self._tell(problem)

    def catch_up(self) -> None:
        """Write what the file has missed, if there is room again; to be called now and then.

        A file that somebody has removed or replaced is made anew.
        """
        if self._ring is not None and not self._is_behind and not self._ring.is_in_place:
            self._is_behind = True
            self._log.line("the replay memory's file was removed or replaced")
        if self._is_behind and Clock.monotonic() > self._retry_at:
            self._retry_at = Clock.monotonic() + RETRY
            with contextlib.suppress(OSError, ConfigError):
                self.replays.rewrite(self._rewrite)

    def _rewrite(self, ring: bytes) -> None:
        if self._ring is None:
            return
        if not self._ring.is_in_place:
            former, self._ring = self._ring, RingFile(self._path, self._key, wait=0.0)
            self._part_with(former)
        self._ring.rewrite(ring)
        self._is_behind = False
        self._log.line("the replay memory is in its file again")

    def _part_with(self, former: RingFile) -> None:
        """Keep the lock of a file that was moved: no kernel may begin with a past that goes on."""
        held = [*self._moved, former]
        self._moved = [ring for ring in held if ring.has_a_name]
        for ring in held:
            if ring not in self._moved:
                ring.close()

    def forget(self) -> None:
        """In the child after a fork: else it would keep the lock."""
        for ring in (self._ring, *self._moved):
            if ring is not None:
                ring.close()

    def _tell(self, problem: OSError) -> None:
        self._log.line(f"the replay memory is kept in RAM only: {problem.strerror or problem}")

    def close(self, *, keep: bool = True) -> None:
        """Unlock the file.

        Args:
            keep: whether it stays: a key whose connection file has gone is not used again.
        """
        if self._ring is not None:
            self._retry_at = 0.0
            self.catch_up()
            for ring in (self._ring, *self._moved):
                ring.close()
            if not keep:
                with contextlib.suppress(OSError):
                    remove_unlocked(self._path)
