"""A time limit for what may take long in the main thread: analysis, a user's property."""

from __future__ import annotations

import _thread
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from sys import UnraisableHookArgs
    from types import FrameType

    from minikernel.interpreter.base import Value

AGAIN = 0.5  # seconds: an interrupt may be lost, in a finaliser say


def within(seconds: float, function: Callable[..., Any], *args: object) -> Value:
    """Call a function; what takes too long is interrupted, as the user could.

    Outside the main thread there is no limit.

    Raises:
        TimeoutError: it took too long.
        BaseException: what it raised.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*args)
    watch = _Watch(seconds, sys._getframe())  # see _Watch
    try:
        try:
            watch.start()
            return function(*args)
        finally:
            watch.end()
    except KeyboardInterrupt:
        watch.end()
        if watch.has_passed:
            raise TimeoutError from None
        raise


class _Watch:
    """Interrupts the main thread for as long as a frame is on its stack."""

    def __init__(self, seconds: float, frame: FrameType) -> None:
        self.has_passed = False
        self._seconds = seconds
        self._frame: FrameType | None = frame
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._hook = sys.unraisablehook

    def start(self) -> None:
        sys.unraisablehook = self._unraisable
        threading.Thread(target=self._run, name="deadline", daemon=True).start()

    def end(self) -> None:
        with self._lock:  # from now on it does not pass
            self._over.set()
            self._frame = None
        if sys.unraisablehook == self._unraisable:
            sys.unraisablehook = self._hook

    def _unraisable(self, lost: UnraisableHookArgs) -> None:
        """Say nothing of an interrupt of ours that was lost: there is another one to come."""
        if not (self.has_passed and lost.exc_type is KeyboardInterrupt):
            self._hook(lost)

    def _run(self) -> None:
        seconds = self._seconds
        while not self._over.wait(seconds):
            with self._lock:
                if self._over.is_set() or not self._is_running():
                    return
                self.has_passed = True
                _thread.interrupt_main()
            seconds = AGAIN

    def _is_running(self) -> bool:
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None
