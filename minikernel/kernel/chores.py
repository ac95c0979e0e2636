"""What the kernel does once a second, besides answering."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from minikernel.transport.ring_file import remove_orphans

if TYPE_CHECKING:
    from pathlib import Path

    from minikernel.interpreter.base import Engine
    from minikernel.transport.log import Log
    from minikernel.transport.memory import DurableMemory


FEW = 100  # free descriptors; a connection takes one, and so does a file that a cell opens
DESCRIPTORS = "/dev/fd"


class FreeDescriptors:
    """How many descriptors the process may still open, as of the last look."""

    def __init__(self) -> None:
        self.count: int | None = None  # None: nobody knows
        self.most = 0

    def look(self) -> None:
        """Count them; takes as long as many are open."""
        self.most = os.sysconf("SC_OPEN_MAX")
        try:
            taken = len(os.listdir(DESCRIPTORS)) - 1  # noqa: PTH208 - names are enough
            self.count = None if self.most < 0 else self.most - taken
        except FileNotFoundError:
            self.count = None
        except OSError:  # there is none to look with
            self.count = 0


class Chores:
    """Saves the history and what the replay memory's file missed, removes old ring files.

    Args:
        engine: has the history.
        log: told when the history can't be written, and when it can again.
        memory: of what was accepted before, if there is one.
        directory: where ring files are.
    """

    def __init__(
        self, engine: Engine, log: Log, memory: DurableMemory | None, directory: Path
    ) -> None:
        self._engine = engine
        self._log = log
        self._memory = memory
        self._orphans: Path | None = directory
        self._is_told = False
        self.descriptors = FreeDescriptors()
        self._ran_low = False

    def tick(self) -> None:
        """Do what is to be done; never raises for a disk that is full or a descriptor too few."""
        try:
            self._engine.save()
            problem = self._engine.history_problem
        except Exception as error:  # noqa: BLE001 - an engine of somebody's own
            problem = type(error).__name__
        self._tell_of_history(problem)
        self._tell_of_descriptors()
        if self._memory is not None:
            self._memory.catch_up()
        if self._orphans is not None:
            with contextlib.suppress(OSError):  # no descriptor is left: the next time
                remove_orphans(self._orphans)
                self._orphans = None

    def _tell_of_descriptors(self) -> None:
        """Whoever can connect can take them all."""
        self.descriptors.look()
        left, few = self.descriptors.count, min(FEW, self.descriptors.most // 4)
        if left is None or left >= 2 * few:
            self._ran_low = False
        elif left < few and not self._ran_low:
            self._ran_low = self._log.offer(
                f"descriptors run low: {left} of {self.descriptors.most} are free"
            )

    def _tell_of_history(self, problem: str | None) -> None:
        if (problem is not None) == self._is_told:
            return
        text = "the history is written again"
        if problem is not None:
            text = f"the history is kept in RAM only: {problem}"
        if self._log.offer(text):
            self._is_told = problem is not None
