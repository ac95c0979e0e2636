"""Exclusive times of real functions, in place, less what the timing itself costs.

It is the thread's time on the processor: what else the machine does meanwhile does not count.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from minikernel.auth.jupyter_hmac import JupyterHmac
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.protocol import end

if TYPE_CHECKING:
    from collections.abc import Callable

    Times = dict[str, float]  # us by stage

REST = "dispatch, the rest"


class Stopwatch:
    """Exclusive times of nested functions of one thread, request by request."""

    def __init__(self) -> None:
        self.requests: list[dict[str, int]] = []  # ns by stage
        self._stack: list[str] = []
        self._spent: Counter[str] = Counter()
        self._inside = self._outside = 0.0
        self._calibrate()

    def _calibrate(self) -> None:
        """What one timed call adds to itself, and to its caller, in ns."""
        empty = self.timed("inside", lambda: None)
        for _ in range(2000):
            self.begin("outside")
            for _ in range(10):
                empty()
            self.end()
        self._inside = statistics.median(r["inside"] for r in self.requests) / 10
        self._outside = statistics.median(r["outside"] for r in self.requests) / 10
        self.requests.clear()

    def begin(self, stage: str = REST) -> None:
        self._thread = threading.get_ident()
        self._spent = Counter()
        self._stack.append(stage)
        self._last = time.thread_time_ns()

    def end(self) -> None:
        if self._stack:
            self._switch()
            self._stack.clear()
            self.requests.append(dict(self._spent))

    def _switch(self) -> None:
        now = time.thread_time_ns()
        self._spent[self._stack[-1]] += now - self._last
        self._last = now

    def enter(self, stage: str) -> None:
        self._switch()
        self._spent[self._stack[-1]] -= round(self._outside)
        self._spent[stage] -= round(self._inside)
        self._stack.append(stage)

    def leave(self) -> None:
        self._switch()
        self._stack.pop()

    def runs(self) -> bool:
        return bool(self._stack) and threading.get_ident() == self._thread

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if not self.runs():
                return function(*args, **options)
            self.enter(stage)
            try:
                return function(*args, **options)
            finally:
                self.leave()

        return call

    def timed_coroutine(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Likewise; it must not be suspended meanwhile."""

        @wraps(function)
        async def call(*args: Any, **options: Any) -> Any:
            if not self.runs():
                return await function(*args, **options)
            self.enter(stage)
            try:
                return await function(*args, **options)
            finally:
                self.leave()

        return call

    def watch(self, stage: str, owner: Any, *names: str) -> None:
        for name in names:
            function = getattr(owner, name)
            timed = self.timed_coroutine if iscoroutinefunction(function) else self.timed
            setattr(owner, name, timed(stage, function))

    def medians(self) -> Times:
        """Microseconds of each stage in the middle request."""
        stages = dict.fromkeys(stage for request in self.requests for stage in request)
        return {
            stage: max(0.0, statistics.median(r.get(stage, 0) for r in self.requests) / 1e3)
            for stage in stages
        }


def watch_protocol(watch: Stopwatch) -> None:
    """What both ends have in common."""
    watch.watch("split", end, "split")
    watch.watch("verify", JupyterHmac, "verify")
    watch.watch("remember", ReplayMemory, "admit")
    watch.watch("decode", end, "loads_header", "loads_optional")
    watch.watch("decode", end.ChannelEnd, "_content")
    watch.watch("check", end.ChannelEnd, "receive")
    watch.watch("sign", end.ChannelEnd, "seal")
