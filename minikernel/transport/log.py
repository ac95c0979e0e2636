"""Lines on a process's own terminal."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

from minikernel.transport.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL = 1.0  # seconds between two log lines, at least


class Log:
    """Lines on the kernel's own terminal, at most one a second, without bytes of a stranger."""

    def __init__(self, descriptor: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._next = 0.0
        self._left_out = 0
        self._lock = threading.Lock()  # shell and control each have a thread

    def line(self, text: str) -> None:
        """Write a line, or only count it if the last one is less than a second old."""
        if not self.offer(text):
            with self._lock:
                self._left_out += 1

    def offer(self, text: str) -> bool:
        """Write a line, if it may be written now; what is offered again later is not counted."""
        with self._lock:
            now = Clock.monotonic()
            if now < self._next or not _is_read(self._descriptor()):
                return False
            more = f" (and {self._left_out} lines left out)" if self._left_out else ""
            self._next, self._left_out = now + INTERVAL, 0
        return self._write(text + more)

    def last(self, text: str) -> None:
        """Write why the kernel ends, whenever the line before was."""
        if _is_read(self._descriptor()):
            self._write(text)

    def _write(self, text: str) -> bool:
        try:
            os.write(self._descriptor(), f"minikernel: {text}\n".encode())
        except OSError:
            return False  # the terminal has gone, or its disk is full; the ledger still tells
        return True


def _is_read(descriptor: int) -> bool:
    """Whether a line can be written without waiting for somebody who reads the terminal."""
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    return bool(writable.poll(0))
