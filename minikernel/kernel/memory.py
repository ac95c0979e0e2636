"""A replay memory that survives the process, as long as the disk lets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.replay_memory import ReplayMemory
from minikernel.transport.ring_file import RingFile

if TYPE_CHECKING:
    from pathlib import Path

    from minikernel.auth.keys import SecretKey
    from minikernel.kernel.refusals import Log


class DurableMemory:
    """What was accepted before, in a ring file; in RAM only if that fails.

    Args:
        path: of the ring file.
        key: of the connection file.
        log: told when it fails.
    """

    def __init__(self, path: Path, key: SecretKey, log: Log) -> None:
        self._log = log
        self._ring: RingFile | None = None
        try:
            self._ring = RingFile(path, key)
        except OSError as problem:
            self._forget(problem)
            self.replays = ReplayMemory()
        else:
            self.replays = ReplayMemory(self._ring.ring, self._record)

    def _record(self, slot: int, digest: bytes) -> None:
        """A disk that is full takes the memory of the past, not the kernel."""
        if self._ring is None:
            return
        try:
            self._ring.record(slot, digest)
        except OSError as problem:
            self._ring.close()
            self._forget(problem)

    def _forget(self, problem: OSError) -> None:
        self._ring = None
        self._log.line(f"the replay memory is kept in RAM only: {problem.strerror or problem}")

    def close(self) -> None:
        """Unlock the file."""
        if self._ring is not None:
            self._ring.close()
