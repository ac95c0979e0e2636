"""What a man in the middle sees: every message on its way, and a say in what goes on."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minikernel.wire.channels import Channel, Role


class Passing(NamedTuple):
    """A message on its way."""

    channel: Channel
    to: Role
    client: bytes  # which connection: the identity of its client; empty on iopub
    frames: list[bytes]  # without it; of what is encrypted one piece, as it came


class Recorder:
    """Records what passes, and lets a rule say what goes on in its place."""

    def __init__(self) -> None:
        self.tape: list[Passing] = []  # everything that came, before the rule
        self.rule: Callable[[Passing], Iterable[Passing]] | None = None
        self._heard = threading.Condition()
        self._problem: Exception | None = None

    def wait(
        self, wanted: Callable[[Passing], bool], timeout: float, start: int = 0
    ) -> Passing | None:
        """The first message on the tape, from `start` on, that is wanted; None: it did not come."""
        deadline = time.monotonic() + timeout
        with self._heard:
            while True:
                found = next((p for p in self.tape[start:] if wanted(p)), None)
                left = deadline - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self._heard.wait(left)

    def check(self) -> None:
        """Raise what a rule has raised."""
        if self._problem is not None:
            raise self._problem

    def _record(self, passing: Passing) -> Iterable[Passing]:
        """What goes on in the place of a message; those waiting for it hear after the rule."""
        onward = self._ruled(passing)
        with self._heard:
            self.tape.append(passing)
            self._heard.notify_all()
        return onward

    def _ruled(self, passing: Passing) -> Iterable[Passing]:
        if self.rule is None:
            return (passing,)
        try:
            return list(self.rule(passing))
        except Exception as problem:  # noqa: BLE001 - `check` raises it, in another thread
            self._problem = problem
            return (passing,)
