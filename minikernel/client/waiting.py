"""The two ways to wait: a blocking client's, and that of one for asyncio.

What a client does is written once, as coroutines (conversation.py, turns.py). A blocking client
runs them on the spot: what it gives them to wait for blocks, so nothing ever suspends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import zmq.asyncio
from jupyter_core.utils import ensure_async, run_sync

from minikernel.client.interrupts import Forwarding
from minikernel.client.terminal import ask_terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from contextlib import AbstractContextManager

    from minikernel.client.interrupts import Handler
    from minikernel.client.verifier import Msg
    from minikernel.wire.channels import Channel

LIVENESS = 1.0  # seconds between two looks whether the kernel still lives
DIED = "the kernel has ended"

_T = TypeVar("_T")


def now(talk: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine returns that waits for no event loop.

    What a signal raises meanwhile is raised inside of it, as in a function that is called.

    Raises:
        RuntimeError: it does wait for one.
    """
    try:
        talk.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    talk.close()
    raise RuntimeError("a blocking client can't wait for an event loop")


class ThreadLane:
    """A lock of threads; who has it may take it again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.release = self._lock.release

    async def acquire(self, deadline: float | None) -> bool:
        """Whether it could be had until the deadline, by the monotonic clock; None: some time."""
        return self._lock.acquire(timeout=-1 if deadline is None else left(deadline))


class TaskLane:
    """A lock of tasks; who has it may take it again."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._owner: object = None
        self._depth = 0

    async def acquire(self, deadline: float | None) -> bool:
        """As `ThreadLane.acquire`."""
        task = asyncio.current_task()
        if self._owner is not task:
            if deadline is None or not self._lock.locked():  # wait_for would cost a task
                await self._lock.acquire()
            elif not await _in_time(self._lock.acquire(), left(deadline)):
                return False
            self._owner = task
        self._depth += 1
        return True

    def release(self) -> None:
        """Let others have it, once for each time that it was taken."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._lock.release()


class Threads:
    """How a blocking client waits: its thread does."""

    poller, lane, event, forwarding = zmq.Poller, ThreadLane, threading.Event, Forwarding
    me, ask = staticmethod(threading.get_ident), staticmethod(ask_terminal)

    @staticmethod
    def handler(talk: Callable[[Msg], Coroutine[Any, Any, None]]) -> Handler:
        """A handler of messages that does what a coroutine function does."""
        return lambda msg: now(talk(msg))

    @staticmethod
    def callback(
        function: Callable[..., object], aside: Callable[[], AbstractContextManager[None]]
    ) -> Callable[..., Any]:
        """The user's function, waited for if it is a coroutine function.

        Args:
            function: to be called.
            aside: inside of it a thread receives what is published.
        """

        def call(*args: object) -> object:
            with aside():
                answer = function(*args)
                return run_sync(ensure_async)(answer) if inspect.isawaitable(answer) else answer

        return call

    @staticmethod
    async def settled(value: _T) -> _T:
        """The value: what a blocking client calls has waited already."""
        return value

    @staticmethod
    async def happens(event: threading.Event, seconds: float) -> bool:
        """Whether somebody sets the event in time."""
        return event.wait(seconds)


class Tasks:
    """How a client for asyncio waits: its task does."""

    poller, lane, event = zmq.asyncio.Poller, TaskLane, asyncio.Event
    me = staticmethod(asyncio.current_task)

    @staticmethod
    async def ask(prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
        """Ask the user at this process's terminal."""
        return await asyncio.to_thread(ask_terminal, prompt, password)

    @staticmethod
    def handler(talk: Callable[[Msg], Coroutine[Any, Any, None]]) -> Handler:
        """As `Threads.handler`."""
        return talk

    @staticmethod
    def callback(
        function: Callable[..., object],
        aside: object,  # noqa: ARG004 - as Threads.callback
    ) -> Callable[..., Any]:
        """The user's function; the sockets belong to the loop, so no thread receives."""
        return function

    @staticmethod
    def forwarding(
        _: Callable[[], object] | None,
        handlers: Mapping[Channel, Handler],
        *,
        holds: bool,  # noqa: ARG004 - as Forwarding's
    ) -> AbstractContextManager[Forwarding]:
        """Handles messages; Ctrl-C is asyncio's business."""
        return contextlib.nullcontext(Forwarding(None, handlers))

    @staticmethod
    async def settled(value: _T | Awaitable[_T]) -> _T:
        """The value, waited for if it is to come yet."""
        return await value if inspect.isawaitable(value) else value

    @staticmethod
    async def happens(event: asyncio.Event, seconds: float) -> bool:
        """As `Threads.happens`."""
        return await _in_time(event.wait(), seconds)


Waits: TypeAlias = type[Threads] | type[Tasks]


async def _in_time(awaitable: Coroutine[Any, Any, bool], seconds: float) -> bool:
    with contextlib.suppress(asyncio.TimeoutError):
        return await asyncio.wait_for(awaitable, seconds)
    return False


def left(deadline: float) -> float:
    """Seconds until a moment of the monotonic clock; none if it is over."""
    return max(0.0, deadline - time.monotonic())
