"""What our engines have in common: cells are remembered, and interrupts find the user's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minikernel.interpreter.history import History
from minikernel.interpreter.interrupts import Guard, Running
from minikernel.interpreter.steps import Caller

if TYPE_CHECKING:
    import pathlib

    from minikernel.interpreter.base import Option


class CommonEngine:
    """All of `Engine` that does not depend on the language.

    Args:
        history_file: IPython's history database, made if it is missing; None for memory only.
        namespace: That of the user's code that may run between cells.
    """

    def __init__(self, history_file: pathlib.Path | None, namespace: dict[str, Any]) -> None:
        self.execution_count = 0
        self._history = History(history_file)
        self._guard = Guard(namespace)
        self._caller = Caller(self._guard)

    @property
    def history_problem(self) -> str | None:
        """What keeps the history from being written to its file, if anything does."""
        return self._history.problem

    def begin(self) -> None:
        """Note that a cell begins; see `Engine.begin`."""
        self._guard.begin()

    def interrupted(self) -> None:
        """Take notice of a SIGINT; see `Engine.interrupted`."""
        self._guard.interrupted()

    def running(self) -> Running:
        """Let the user's code run outside a cell; see `Engine.running`."""
        return Running(self._guard)

    def history(self, access: str, **asked: Option) -> list[tuple[int, int, Any]]:
        """Return past cells; see `Engine.history`."""
        return self._history.past(access, **asked)

    def save(self) -> None:
        """Write pending history; see `Engine.save`."""
        self._history.save()

    def close(self) -> None:
        """Write what is pending; see `Engine.close`."""
        self._history.close()
