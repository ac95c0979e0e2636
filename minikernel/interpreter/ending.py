"""What Python does at its end, done before the process is ended hard: a kernel must not hang.

Everything here may run the user's code; what that prints is to be published afterwards.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from minikernel.interpreter.base import Value

PAUSE = 0.05  # seconds after which threads are looked for again
_run_exit_handlers = atexit._run_exitfuncs  # noqa: SLF001 - the process will end by os._exit, which skips them
_Thread = threading.Thread
_objects, collect = gc.get_objects, gc.collect
_now = [time.monotonic]  # in a list: what freezes the clock replaces functions in modules


def finish(loop: asyncio.AbstractEventLoop | None, seconds: float) -> list[str]:
    """Let tasks end, run exit handlers, let threads end, write files.

    Args:
        loop: which has stopped, if there was one.
        seconds: that tasks have, and threads after them.

    Returns:
        The names of the threads that still run.
    """
    if loop is not None and not loop.is_closed():
        attempt(cancel_tasks, loop, seconds)
    attempt(_run_exit_handlers)
    running: list[str] = attempt(finish_threads, seconds) or []
    attempt(flush_files)
    return running


def attempt(step: Callable[..., Any], *args: object) -> Value:
    """Take one of the last steps; the others follow, whatever cells have put into modules."""
    try:
        return step(*args)
    except (Exception, KeyboardInterrupt, SystemExit):  # noqa: BLE001 - as above
        return None


def cancel_tasks(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let the tasks of a loop that has stopped come to their `finally`."""
    import asyncio  # noqa: PLC0415 - there is a loop

    deadline = _now[0]() + seconds
    for task in asyncio.all_tasks(loop):
        with contextlib.suppress(RecursionError):  # it waits for itself
            task.cancel()
    while (tasks := asyncio.all_tasks(loop)) and (left := deadline - _now[0]()) > 0:
        with contextlib.suppress(Exception, asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            loop.run_until_complete(asyncio.wait(tasks, timeout=left))


def finish_threads(seconds: float) -> list[str]:
    """Wait for non-daemon threads, and for what executors were given.

    Args:
        seconds: how long, all together.

    Returns:
        The names of the threads that still run.
    """
    deadline = _now[0]() + seconds
    calls = _exit_calls()
    closing = _Thread(target=_call_all, args=(calls,), daemon=True)
    if calls:
        closing.start()
    while (running := _running()) or closing.is_alive():
        left = min(PAUSE, deadline - _now[0]())
        if left <= 0:
            break
        (running or [closing])[0].join(left)
    return [str(thread.name) for thread in running]


def _running() -> list[threading.Thread]:
    main = threading.main_thread()
    return [it for it in threading.enumerate() if not it.daemon and it is not main]


def _exit_calls() -> list[Callable[[], object]]:
    """What python calls before it waits for threads: executors end their own."""
    calls: list[Callable[[], object]] = getattr(threading, "_threading_atexits", [])
    taken = calls[::-1]
    calls.clear()
    return taken


def _call_all(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        with contextlib.suppress(Exception):
            call()


def clear(namespace: dict[str, Any]) -> None:
    """Let go of what the user's names refer to, in Python's order: files close, `__del__` runs."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
    first = [name for name in namespace if name[:1] == "_" and name[1:2] != "_"]
    for name in (*first, *namespace):
        if name != "__builtins__" and name in namespace:
            namespace[name] = None


def flush_files() -> None:
    """Flush open files, before those that nobody can reach go in any order."""
    kinds = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
    # Not isinstance: a proxy's code does not run.
    files = [value for value in _objects() if issubclass(type(value), kinds)]
    for file in sorted(files, key=lambda file: not issubclass(type(file), io.TextIOWrapper)):
        attempt(file.flush)  # closed, read only, or its disk is full
