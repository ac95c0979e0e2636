"""Wishes to interrupt the kernel: each once, in whatever way and however often it was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAME = (
    0.5  # seconds within which a signal is about the same wish: a front end may signal all it knows
)


class Wishes:
    """Counts as one wish what a front end says in several ways.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._signalled = self._fulfilled = -SAME

    def is_new_by_signal(self) -> bool:
        """A signal has come: whether it is about a wish that was not fulfilled yet."""
        now = self._clock()
        if now - self._fulfilled < SAME:
            return False
        self._signalled = self._fulfilled = now
        return True

    def is_new_by_message(self) -> bool:
        """A message has come; two messages are two wishes, unless a signal came before."""
        now = self._clock()
        if now - self._signalled < SAME:
            self._signalled = now - SAME
            return False
        self._fulfilled = now
        return True
