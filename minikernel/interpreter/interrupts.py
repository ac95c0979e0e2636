"""SIGINT: where an interrupt may fall, and what it does there."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType, TracebackType


class Guard:
    """Says at any time whether an interrupt may raise KeyboardInterrupt.

    `armed` is set and cleared by plain assignments, without a call after them: the interpreter
    runs signal handlers after calls, so none can come between the user's code and the clearing.

    Args:
        namespace: The globals of the user's code.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.armed = False  # the user's code runs, in the main thread
        self.active = False  # a cell has begun and not ended
        self.pending = False  # an interrupt came when the cell was not yet running
        self.cancelled = False  # an interrupt has cancelled the cell's task
        self.task: asyncio.Future[Any] | None = None  # the cell's task, while it is waited for
        self.cancel: Callable[[], None] = lambda: None  # cancels it
        self.driver: asyncio.Task[Any] | None = None  # the task that waits, if one does
        self._namespace = namespace

    def begin(self) -> None:
        """Note that a cell begins."""
        self.active = True
        self.pending = self.cancelled = False

    def interrupted(self) -> None:
        """Raise KeyboardInterrupt in the user's code, cancel a cell that awaits, or do nothing."""
        frame = sys._getframe(1)
        if self.armed:
            self.armed = not _is_leaving(frame)
            if self.armed:
                raise KeyboardInterrupt
            return
        if self.task is not None:
            self.cancelled = True
            self.task.get_loop().call_soon_threadsafe(self.cancel)
        else:
            self.pending = self.active
        if self._is_in_users_task() or self._is_on_stack(frame):
            raise KeyboardInterrupt

    def _is_in_users_task(self) -> bool:
        """Whether a task takes a step just now that is neither the cell's nor waits for it."""
        if self.task is None:
            return False
        current = sys.modules["asyncio"].current_task(self.task.get_loop())
        return current not in {None, self.task, self.driver}

    def _is_on_stack(self, frame: FrameType | None) -> bool:
        """Whether the user's code runs between cells: a callback or a task of the loop."""
        while frame is not None:
            if frame.f_globals is self._namespace:
                return True
            frame = frame.f_back
        return False


class Running:
    """A context in which the user's code runs outside of cells: a comm's callback, say.

    An exception ends it, and is printed on sys.stderr; KeyboardInterrupt and SystemExit too.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        self._guard.armed = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._guard.armed = False
        if error is None:
            return False
        if not isinstance(error, (Exception, KeyboardInterrupt, SystemExit)):
            return True  # the kernel is to end and knows it, or the user's code was cancelled
        with contextlib.suppress(Exception):  # no descriptor is left to load them
            import traceback  # noqa: PLC0415 - only when something failed

            from minikernel.interpreter.tracebacks import users_frames

            traceback.print_exception(kind, error, users_frames(trace))
        return True


def _is_leaving(frame: FrameType | None) -> bool:
    """Whether the signal came just before `Running.__exit__` could clear the flag."""
    for _ in range(5):
        if frame is None:
            return False
        if frame.f_code is Running.__exit__.__code__:
            return True
        frame = frame.f_back
    return False
