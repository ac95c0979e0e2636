"""What signals do in the main thread: interrupt a cell, or end the kernel, and when they wait.

SIGINT is for the cell. SIGTERM and SIGHUP raise `Stop`. Neither may come where half a message would
stay behind, or text that was taken and not yet published. What holds on in a system call is nudged.
"""

from __future__ import annotations

import os
import signal
import threading
import weakref
from threading import get_ident
from typing import TYPE_CHECKING, NoReturn

from minikernel.kernel import signals
from minikernel.transport.clock import Clock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType

    from minikernel.kernel.request import Requests

GRACE = 2.0  # seconds that a running cell gets to end when the kernel is told to
NUDGE = 0.05  # seconds between two signals to the main thread meanwhile
SOON = 0.005  # seconds after the first one


class Stop(BaseException):
    """Raised in the main thread by SIGTERM's handler: the kernel is to end."""


class Gate:
    """Lets signals through to the main thread, or has them wait.

    Args:
        iopub: the lock of that socket: who holds it is sending.
        requests: know whether one runs.
    """

    def __init__(self, iopub: threading.RLock, requests: Requests) -> None:
        self.stopping = False  # the kernel is to end
        self.loop: asyncio.AbstractEventLoop | None = None  # in which requests run, if there is one
        self._iopub = iopub
        self._requests = requests
        self._shutters: list[Callable[[], bool]] = [self.sending]
        self._interrupted: Callable[[], object]  # tells the engine
        self._give_up: Callable[[str | None], object]
        self._dispositions: signals.Dispositions
        self._main = get_ident()
        self._pid = os.getpid()
        self._deferred = False  # an interrupt came when the gate was closed
        self._leaving = threading.Event()
        self._left = 0.0  # when, of the monotonic clock
        self._raised: Callable[[], Stop | None] = lambda: None  # the Stop that is on its way

    def sending(self) -> bool:
        """Whether this thread is sending: a finaliser or signal handler may come in between."""
        return self._iopub._is_owned()  # type: ignore[attr-defined, no-any-return]

    def close_while(self, *shutters: Callable[[], bool]) -> None:
        """No signal comes through while one of these says so, of the thread that asks."""
        self._shutters += shutters

    def open(
        self,
        wakeup: int,
        interrupted: Callable[[], object],
        give_up: Callable[[str | None], object],
    ) -> None:
        """Take signals from now on; they are held until they are released.

        Args:
            wakeup: descriptor that C's handler writes their numbers to.
            interrupted: tells the engine of a SIGINT.
            give_up: ends the process at once, perhaps with a word for the terminal.
        """
        signals.hold()
        self._interrupted, self._give_up = interrupted, give_up
        handlers: dict[int, signals.Handler] = {
            signal.SIGINT: self._on_sigint,
            signals.NUDGE: self._on_nudge,
            **dict.fromkeys(signals.heeded_endings(), self._on_ending),
        }
        self._dispositions = signals.Dispositions(handlers, wakeup)
        self._dispositions.put()

    def keep_signals(self) -> None:
        """Put back what a cell may have done to them."""
        self._dispositions.keep()

    def resume(self) -> None:
        """Let an interrupt take effect that was deferred: the gate may be open again."""
        if self._deferred and get_ident() == self._main:
            self._deferred = False
            self._interrupted()

    def interrupt(self) -> None:
        """Interrupt the cell and its children, as Ctrl-C would."""
        leads = os.getpgrp() == self._pid
        (os.killpg if leads else os.kill)(self._pid, signal.SIGINT)

    def leave(self) -> None:
        """The main thread is on its way out: nothing more is to be raised."""
        self._left = Clock.monotonic()
        self._leaving.set()

    @property
    def is_left(self) -> bool:
        """Whether the main thread is on its way out."""
        return self._leaving.is_set()

    def _is_closed(self) -> bool:
        return any(is_closed() for is_closed in self._shutters)

    def _on_sigint(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_closed():
            self._deferred = True
        else:
            self._interrupted()

    def _on_ending(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True
        if self.is_left and Clock.monotonic() > self._left + GRACE:
            self._give_up(None)
        self._stop()

    def _on_nudge(self, _signal: int, _frame: FrameType | None) -> None:
        if self.stopping:
            self._stop()

    def _stop(self) -> None:
        """Raise Stop, unless one is on its way: what the cell does in `finally` has its time."""
        if self._leaving.is_set() or self._raised() is not None:
            return
        if self._is_closed():
            return  # the control thread asks again
        if self.loop is not None:
            self.loop.stop()  # a task keeps what is raised in it for itself
        stop = Stop("the kernel was told to end")
        self._raised = weakref.ref(stop)
        try:
            raise stop
        finally:
            del stop  # else its own traceback would keep it, also when somebody has swallowed it

    def caught(self, numbers: bytes) -> None:
        """Get the main thread out of whatever it does, if the kernel is to end; in another thread.

        Again and again: a signal just before a system call that blocks is not noticed by it. Not
        by SIGTERM, for which the user may have a handler, or the launcher none.

        Args:
            numbers: of signals that came.
        """
        if signal.SIGINT in numbers and self._requests.busy:
            self._leaving.wait(NUDGE)
            signals.nudge(self._main)
        self.stopping = self.stopping or any(ending in numbers for ending in signals.ENDINGS)
        deadline = Clock.monotonic() + GRACE
        patience = NUDGE if self._requests.busy else 0.0  # it may be about to leave by itself
        while self.stopping and not self._leaving.wait(patience):
            if Clock.monotonic() > deadline:
                self._give_up("the running cell did not end")
            signals.nudge(self._main)
            patience = min(NUDGE, 2 * patience + SOON)


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """A handler that ends a kernel which has hardly begun."""
    raise Stop
