"""Waiting for several sockets at once, in a thread of its own."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import zmq

from minikernel.transport.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Source = zmq.Socket[bytes] | int


MOST_FAILURES = 1000
PAUSE = 0.01  # seconds that a source is left alone


def start_thread(
    name: str, target: Callable[[], None], failed: Callable[[BaseException], object] | None = None
) -> threading.Thread:
    """Start a daemon thread that takes no signals: they are the main thread's.

    Args:
        name: of the thread.
        target: its work.
        failed: called in the thread with what ends its work, if that is an exception.
    """

    def work() -> None:
        try:
            target()
        except BaseException as problem:
            if failed is None:
                raise
            failed(problem)

    thread = threading.Thread(target=work, name=name, daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return thread


class Watch:
    """Calls back when a socket or file descriptor can be read.

    Args:
        sources: what to watch, and what to call.
        tick: called now and then.
        interval: how often, in seconds.
        failed: called with what a call has raised, which ends nothing: not before a source has
            raised `MOST_FAILURES` times in a row.
    """

    def __init__(
        self,
        sources: Mapping[Source, Callable[[], None]],
        *,
        tick: Callable[[], None],
        interval: float = 1.0,
        failed: Callable[[Exception], object],
    ) -> None:
        self._sources = dict(sources)
        self._tick = tick
        self._interval = interval
        self._failed = failed
        self._failures = 0  # of sources, since one of them did its work
        self._paused: list[Source] = []
        self._poller = zmq.Poller()
        for source in sources:
            self._poller.register(source, zmq.POLLIN)

    def pause(self, source: Source) -> None:
        """Leave a source alone for a moment: what comes from it can't be worked on now."""
        self._poller.unregister(source)
        self._paused.append(source)

    def run(self, ended: Callable[[], bool]) -> None:
        """Watch until `ended()` says so (asked after each call) or the context ends."""
        next_tick = Clock.monotonic() + self._interval
        while not ended():
            left = max(0, next_tick - Clock.monotonic())
            paused, self._paused = self._paused, []
            for source, _ in self._poller.poll(int((PAUSE if paused else left) * 1000)):
                self._take(self._sources[source])
            for source in paused:
                self._poller.register(source, zmq.POLLIN)
            if Clock.monotonic() >= next_tick:
                next_tick = Clock.monotonic() + self._interval
                self._contain(self._tick)

    def _take(self, source: Callable[[], None]) -> None:
        if self._contain(source):
            self._failures = 0
        else:
            self._failures += 1

    def _contain(self, call: Callable[[], None]) -> bool:
        """Whether it has done its work."""
        try:
            call()
        except Exception as problem:
            if self._failures >= MOST_FAILURES:  # else it would go on so for ever
                raise
            self._failed(problem)
            return False
        return True
