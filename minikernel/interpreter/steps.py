"""Calls into the user's code: interruptible, and their exceptions are values."""

from __future__ import annotations

import contextvars
import types
from functools import partial
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.base import REQUEST

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from minikernel.interpreter.base import Value
    from minikernel.interpreter.interrupts import Guard

Ended = tuple[Any, "BaseException | None"]  # a value and None, or None and an exception


class Caller:
    """Calls the user's code, armed for interrupts, always in one context.

    The context is what decimal and numpy keep their settings in; a task of its own for each cell
    would lose them. Only the request in it is another for each.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._asyncio: Any = None  # the module
        self._context = contextvars.copy_context()
        self._request = REQUEST.get(None)

    def call(self, function: Callable[..., Any], *args: object) -> Ended:
        """Call a function; whatever it raises is returned."""
        guard = self._guard
        if (request := REQUEST.get(None)) is not self._request:
            self._request = request
            self._context.run(REQUEST.set, request)
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

    async def call_in_task(self, function: Callable[..., Any], *args: object) -> Ended:
        """Call a function in a task of its own, which its code may look for, and cancel."""

        async def call() -> Ended:
            return self.call(function, *args)

        return await self._in_task(call())

    async def run_task(self, coroutine: Coroutine[Any, Any, Any]) -> Ended:
        """Run a coroutine as a task of its own, which an interrupt cancels when it awaits."""
        return await self._in_task(_as_coroutine(self._steps(coroutine)))

    async def _in_task(self, coroutine: Coroutine[Any, Any, Ended]) -> Ended:
        if self._asyncio is None:  # kept: a cell may replace __import__, or forget the module
            import asyncio  # noqa: PLC0415 - we are in its loop

            self._asyncio = asyncio
        asyncio = self._asyncio
        guard = self._guard
        loop = asyncio.get_running_loop()
        task: asyncio.Future[Any] = asyncio.Task(coroutine, loop=loop)  # whatever factory is set
        given_up: asyncio.Future[Any] = loop.create_future()
        guard.driver, guard.cancel = asyncio.current_task(), partial(_cancel, task, given_up)
        guard.task = task
        try:
            await asyncio.wait({task, given_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            guard.driver = guard.task = None
            _cancel(task, given_up)
        value, error = None, asyncio.CancelledError()  # type: Any, BaseException | None
        if task.done() and not task.cancelled():
            value, error = task.result()
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


def _cancel(task: asyncio.Future[Any], given_up: asyncio.Future[Any]) -> None:
    """Cancel a task, or give it up: one that waits for itself can't be cancelled."""
    try:
        task.cancel()
    except RecursionError:
        if not given_up.done():
            given_up.set_result(None)


async def _as_coroutine(steps: Awaitable[Value]) -> Value:
    return await steps
