"""The base of a language engine of your own: all of `Engine` but running code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.interpreter.base import Completion, Failure, Outcome
from minikernel.interpreter.engine import CommonEngine
from minikernel.interpreter.formatting import PLAIN

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping
    from typing import Literal

    from minikernel.interpreter.base import Frontend, LanguageInfo, MimeBundle


class PlainEngine(CommonEngine):
    """An engine for a language of your own; a subclass has `info` and `run`.

    Cells are counted and remembered, interrupts raise `KeyboardInterrupt` in `run`, and what it
    prints is shown. Completion, inspection and `is_complete` can be overridden.

    Args:
        frontend: Where displays go, and questions; it is `self.frontend`.
        history_file: IPython's history database, made if it is missing; None for memory only.
    """

    info: LanguageInfo

    def __init__(self, frontend: Frontend, *, history_file: pathlib.Path | None) -> None:
        super().__init__(history_file, {})
        self.frontend = frontend

    def run(self, code: str) -> str | None:
        """Run a cell, in the main thread.

        Returns:
            The text of its value; None if it has none.

        Raises:
            BaseException: whatever the cell's error is; its type and text are shown.
        """
        raise NotImplementedError

    async def execute(
        self,
        code: str,
        *,
        silent: bool,
        store_history: bool,
        user_expressions: Mapping[str, str],
    ) -> Outcome:
        """Run one cell; see `Engine.execute`. Expressions of the client's are left out."""
        del user_expressions
        if not self._guard.active:
            self._guard.begin()
        counted = store_history and not silent and bool(code.strip())
        if counted:
            self.execution_count += 1
            self._history.add(self.execution_count, code)
        try:
            return Outcome(failure=self._run(code, silent=silent, counted=counted))
        except KeyboardInterrupt as interrupt:  # just before or after the call
            return Outcome(failure=_describe(interrupt))
        finally:
            self._guard.active = False

    def _run(self, code: str, *, silent: bool, counted: bool) -> Failure | None:
        text, error = self._caller.call(self.run, code)
        if error is not None:
            return _describe(error)
        if not isinstance(text, str | None):
            return _describe(TypeError(f"run returned {type(text).__name__}, not str"))
        if text is not None and not silent:
            self.frontend.result(self.execution_count, {PLAIN: text}, {})
            if counted:
                self._history.add_output(self.execution_count, text)
        return None

    def complete(self, code: str, cursor: int) -> Completion:
        """Complete nothing; see `Engine.complete`."""
        del code
        return Completion(matches=[], start=cursor, end=cursor)

    def inspect(self, code: str, cursor: int, detail: int) -> MimeBundle | None:
        """Describe nothing; see `Engine.inspect`."""
        del code, cursor, detail
        return None

    def is_complete(self, code: str) -> tuple[Literal["complete", "incomplete", "invalid"], str]:
        """Let every cell run; see `Engine.is_complete`."""
        del code
        return "complete", ""


def _describe(error: BaseException) -> Failure:
    from minikernel.interpreter.tracebacks import message  # only when something failed

    bare = Failure.of(error)
    return message(bare.ename, bare.evalue)
