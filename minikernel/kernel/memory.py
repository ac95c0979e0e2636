"""A replay memory that survives the process, while the disk lets it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from minikernel.auth.replay_memory import ReplayMemory
from minikernel.transport.ring_file import RingFile

if TYPE_CHECKING:
    from pathlib import Path

    from minikernel.auth.keys import SecretKey
    from minikernel.kernel.refusals import Log

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
        self._ring: RingFile | None = None
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
            self._retry_at = time.monotonic() + RETRY
            self._tell(problem)

    def catch_up(self) -> None:
        """Write what the file has missed, if there is room again; to be called now and then."""
        if self._is_behind and time.monotonic() > self._retry_at:
            self._retry_at = time.monotonic() + RETRY
            with contextlib.suppress(OSError):
                self.replays.rewrite(self._rewrite)

    def _rewrite(self, ring: bytes) -> None:
        if self._ring is None:
            return
        self._ring.rewrite(ring)
        self._is_behind = False
        self._log.line("the replay memory is in its file again")

    def _tell(self, problem: OSError) -> None:
        self._log.line(f"the replay memory is kept in RAM only: {problem.strerror or problem}")

    def close(self) -> None:
        """Unlock the file."""
        if self._ring is not None:
            self._retry_at = 0.0
            self.catch_up()
            self._ring.close()
