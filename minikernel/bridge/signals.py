"""Signals to the bridge, which wait until it looks at them (before: `entry`)."""

from __future__ import annotations

import contextlib
import os
import signal

ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class Signals:
    """SIGINT, SIGTERM and SIGHUP, from now on."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGINT, *ENDINGS):
            if number is signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _wait)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # what has waited comes now

    def come(self) -> frozenset[int]:
        """Those that have come since the last call."""
        with contextlib.suppress(BlockingIOError):
            return frozenset(os.read(self.reading, 4096))
        return frozenset()


def _wait(_number: int, _frame: object) -> None:
    """The descriptor tells of it."""
