"""Signals that interrupt or end the kernel, held back where they would do harm."""

from __future__ import annotations

import os
import signal

# A signal that comes just before a system call that blocks is not noticed by it. This one, a little
# later, ends the call's wait: Python then runs the handler of the other, and goes on with the call.
NUDGE = signal.SIGURG
ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # the latter: its terminal was closed
HELD = {signal.SIGINT, *ENDINGS}


def heeded_endings() -> list[signal.Signals]:
    """Those of ENDINGS that nobody chose to ignore, as nohup does."""
    return [ending for ending in ENDINGS if signal.getsignal(ending) is not signal.SIG_IGN]


def hold() -> None:
    """Let signals wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def release() -> None:
    """Let those come that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def hold_over_forks() -> None:
    """A signal to a child must not reach it before it is no kernel any more.

    Its C handler would tell the parent's control thread, through the pipe that both have.
    """
    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=_in_child)


def _in_child() -> None:
    """A signal does to a child what it does to any process."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in heeded_endings():
        signal.signal(ending, signal.SIG_DFL)
    signal.signal(NUDGE, signal.SIG_DFL)
    release()
