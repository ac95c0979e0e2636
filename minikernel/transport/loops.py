"""Waiting for several sockets at once, in a thread of its own."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Source = zmq.Socket[bytes] | int


def start_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Start a daemon thread that takes no signals: they are the main thread's."""
    thread = threading.Thread(target=target, name=name, daemon=True)
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
    """

    def __init__(
        self,
        sources: Mapping[Source, Callable[[], None]],
        *,
        tick: Callable[[], None],
        interval: float = 1.0,
    ) -> None:
        self._sources = dict(sources)
        self._tick = tick
        self._interval = interval
        self._poller = zmq.Poller()
        for source in sources:
            self._poller.register(source, zmq.POLLIN)

    def run(self, ended: Callable[[], bool]) -> None:
        """Watch until `ended()` says so (asked after each call) or the context ends."""
        next_tick = time.monotonic() + self._interval
        while not ended():
            left = max(0, next_tick - time.monotonic())
            for source, _ in self._poller.poll(int(left * 1000)):
                self._sources[source]()
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + self._interval
                self._tick()
