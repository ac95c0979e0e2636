"""Signals that interrupt or end the kernel, held back where they would do harm."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # C's half of `signal`
import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]

# A signal that comes just before a system call that blocks is not noticed by it. This one, a little
# later, ends the call's wait: Python then runs the handler of the other, and goes on with the call.
NUDGE = signal.SIGURG
ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # the latter: its terminal was closed
HELD = {signal.SIGINT, *ENDINGS}


def heeded_endings() -> list[signal.Signals]:
    """Those of ENDINGS that nobody chose to ignore, as nohup does."""
    return [ending for ending in ENDINGS if signal.getsignal(ending) is not signal.SIG_IGN]


class Dispositions:
    """What signals do in the kernel; a cell may change it, until it ends.

    Without the enums of `signal`, which take longer than the system's calls.

    Args:
        handlers: by number.
        wakeup: descriptor that C's handler writes the numbers to.
    """

    def __init__(self, handlers: dict[int, Handler], wakeup: int) -> None:
        self._handlers = handlers
        self._wakeup = wakeup

    def put(self) -> None:
        """Put handlers and descriptor in their place; in the main thread."""
        for number, handler in self._handlers.items():
            # SIGINT without a look before: what siginterrupt() changes is not to be seen.
            if number == signal.SIGINT or _signal.getsignal(number) is not handler:
                _signal.signal(number, handler)
        _signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)

    def keep(self) -> None:
        """Put them back, and none may be blocked, whoever changed it."""
        self.put()
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, self._handlers)


def nudge(thread: int) -> None:
    """Have a thread look around."""
    _signal.pthread_kill(thread, NUDGE)


def hold() -> None:
    """Let signals wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


@contextlib.contextmanager
def ending_by(handler: Handler) -> Iterator[None]:
    """While there is no kernel to tell, endings call this; those come that have waited."""
    before = {ending: signal.signal(ending, handler) for ending in heeded_endings()}
    try:
        release()
        yield
    except BaseException:
        for ending, former in before.items():
            signal.signal(ending, former)
        raise


def release() -> None:
    """Let those come that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def forget() -> None:
    """In the child after a fork: a signal does to it what it does to any process."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in heeded_endings():
        signal.signal(ending, signal.SIG_DFL)
    signal.signal(NUDGE, signal.SIG_DFL)
    release()
