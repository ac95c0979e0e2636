"""The kernel's main thread: one request after the other, in an asyncio loop once one is needed."""

from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Generator

    from minikernel.kernel.interrupts import Gate
    from minikernel.kernel.request import Requests
    from minikernel.kernel.shell import Shell


class Serving:
    """Takes requests from shell, and has them done.

    Args:
        shell: the channel.
        requests: told when there may be tasks.
        gate: knows whether the kernel is to end, and is told of the loop.
    """

    def __init__(self, shell: Shell, requests: Requests, gate: Gate) -> None:
        self._shell = shell
        self._requests = requests
        self._gate = gate

    def run(self) -> None:
        """Answer requests until the kernel is to end.

        Without a loop at first: an asyncio hop costs more than a whole message.
        """
        while not self._gate.stopping:
            request = self._shell.handle(self._shell.wait())
            try:
                request.send(None)
            except StopIteration:
                continue
            self._enter_loop(request)  # it yielded: it needs a loop (interpreter.base)

    def _enter_loop(self, first: Coroutine[Any, Any, None]) -> None:
        """From now on all requests run inside one loop, and it waits for shell."""
        try:
            self._gate.loop = loop = _new_loop()
            self._requests.share()
        except Exception as problem:  # noqa: BLE001 - no descriptor is left, or a module of the user's in the way
            with contextlib.suppress(StopIteration):
                first.throw(problem)
            return
        steps = Steps(loop, self._serve_from(loop, first))
        run_loop(loop, steps, lambda: self._gate.stopping)
        if isinstance(steps.error, Exception):
            raise steps.error

    async def _serve_from(
        self, loop: asyncio.AbstractEventLoop, first: Coroutine[Any, Any, None]
    ) -> None:
        import asyncio  # noqa: PLC0415 - not before somebody needs it

        readable = asyncio.Event()
        loop.add_reader(self._shell.descriptor, readable.set)
        await _rest(first)
        while not self._gate.stopping:
            # ZeroMQ signals on the descriptor once, not as long as there are messages.
            readable.clear()
            while not self._gate.stopping:
                frames = self._shell.next()
                if frames is not None:
                    await self._shell.handle(frames)
                elif not self._shell.unfinished:
                    break
                await asyncio.sleep(0)  # the user's tasks have their turn between cells
            await readable.wait()


class Steps:
    """Drives a coroutine as a task would, and is none: no code of the user's can find or cancel it.

    Args:
        loop: in which it runs.
        coroutine: what it runs.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]
    ) -> None:
        self.ended = False
        self.error: BaseException | None = None  # that ended it
        self._loop = loop
        self._coroutine = coroutine
        loop.call_soon(self._step)

    def _step(self, _: object = None) -> None:
        try:
            awaited = self._coroutine.send(None)
        except BaseException as end:  # noqa: BLE001 - for whoever runs the loop
            self.ended = True
            self.error = None if isinstance(end, StopIteration) else end
            self._loop.stop()
        else:
            if awaited is None:
                self._loop.call_soon(self._step)
            else:  # a future; the flag says that it was awaited, not yielded
                awaited._asyncio_future_blocking = False
                awaited.add_done_callback(self._step)


def run_loop(loop: asyncio.AbstractEventLoop, steps: Steps, stopping: Callable[[], bool]) -> None:
    """Run a loop until the steps have ended, whoever stops it before."""
    while not (steps.ended or stopping() or loop.is_closed()):
        # An interrupt, or exit(), in a task's step ends that task and comes out here as well.
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            loop.run_forever()


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop of Python's own, whatever policy the user has set."""
    import asyncio  # noqa: PLC0415 - not before somebody needs it

    loop = asyncio.SelectorEventLoop()
    with contextlib.suppress(Exception):  # the user's policy may take no such loop
        asyncio.set_event_loop(loop)
    return loop


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Await a coroutine that has begun, which `await` itself refuses."""
    yield from coroutine.__await__()
