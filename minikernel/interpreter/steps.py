"""Calls into the user's code: interruptible, and their exceptions are values."""

from __future__ import annotations

import contextvars
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from minikernel.interpreter.interrupts import Guard

Ended = tuple[Any, "BaseException | None"]  # a value and None, or None and an exception


class Caller:
    """Calls the user's code, armed for interrupts, always in one context.

    The context is what decimal and numpy keep their settings in; a task of its own for each cell
    would lose them.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._context = contextvars.copy_context()

    def call(self, function: Callable[..., Any], *args: object) -> Ended:
        """Call a function; whatever it raises is returned."""
        guard = self._guard
        try:
            guard.armed = True
            if guard.pending:
                guard.pending = False
                raise KeyboardInterrupt  # noqa: TRY301 - as if it came now
            value = self._context.run(function, *args)
            guard.armed = False
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
            guard.armed = False
            return None, error
        return value, None

    async def run_task(self, coroutine: Coroutine[Any, Any, Any]) -> Ended:
        """Run a coroutine as a task of its own, which an interrupt cancels when it awaits."""
        import asyncio  # noqa: PLC0415 - we are in its loop

        guard = self._guard
        task = asyncio.get_running_loop().create_task(_as_coroutine(self._steps(coroutine)))
        guard.driver, guard.task = asyncio.current_task(), task
        try:
            await asyncio.wait([task])
        finally:
            guard.driver = guard.task = None
            task.cancel()
        value, error = (None, asyncio.CancelledError()) if task.cancelled() else task.result()
        if guard.cancelled and isinstance(error, asyncio.CancelledError):
            return None, KeyboardInterrupt().with_traceback(error.__traceback__)
        return value, error

    @types.coroutine
    def _steps(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Ended]:
        """Drive a coroutine, armed only while it runs.

        Its exception becomes a value: KeyboardInterrupt, raised by a task, would stop the loop.
        """
        step: Callable[[Any], Any] = coroutine.send
        argument: Any = None
        while True:
            awaited, failure = self.call(step, argument)
            if isinstance(failure, StopIteration):
                return failure.value, None
            if failure is not None:
                return None, failure
            try:
                argument = yield awaited
                step = coroutine.send
            except BaseException as thrown:  # noqa: BLE001 - handed on to the coroutine
                step, argument = coroutine.throw, thrown


async def _as_coroutine(steps: Any) -> Any:  # noqa: ANN401 - asyncio takes `async def` only
    return await steps
