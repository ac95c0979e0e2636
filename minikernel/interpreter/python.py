"""The language engine `python`: cells in `__main__`, nothing but the standard library."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.base import Completion, Failure, LanguageInfo, Outcome, enter_loop
from minikernel.interpreter.cells import (
    Cell,
    compile_cell,
    dedented,
    forget_source,
    is_coroutine,
    remember_source,
    with_line,
)
from minikernel.interpreter.display import Displayer
from minikernel.interpreter.ending import clear
from minikernel.interpreter.engine import CommonEngine
from minikernel.interpreter.formatting import PLAIN, shows_itself
from minikernel.interpreter.leaving import LeaveKernel, Quitter
from minikernel.interpreter.paging import question_in
from minikernel.interpreter.results import Results
from minikernel.interpreter.surroundings import Surroundings, displayhook
from minikernel.version import __version__

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping
    from typing import Literal

    from minikernel.interpreter.base import Frontend, MimeBundle

Shown = tuple[Any, "MimeBundle", "MimeBundle"]  # a value, its data and metadata

VERSION = sys.version.split()[0]


class PythonEngine(CommonEngine):
    """Runs cells in `__main__`.

    Args:
        frontend: Where results and displays go, and questions.
        history_file: IPython's history database, made if it is missing; None for memory only.
    """

    info = LanguageInfo(
        name="python",
        version=VERSION,
        mimetype="text/x-python",
        file_extension=".py",
        pygments_lexer="python3",
        codemirror_mode={"name": "python", "version": 3},
        banner=f"Python {VERSION} on minikernel",
        implementation_version=__version__,
        help_links=({"text": "Python", "url": "https://docs.python.org/3/"},),
    )

    def __init__(self, frontend: Frontend, *, history_file: pathlib.Path | None) -> None:
        self._frontend = frontend
        self._displayer = Displayer(frontend)
        self._surroundings = Surroundings(frontend, self._displayer)
        self._namespace = self._surroundings.main.__dict__
        self._results = Results(self._namespace)
        super().__init__(history_file, self._namespace)
        self._flags = 0  # of `from __future__ import ...`
        self._uncounted = 0
        self._failed_file = ""  # linecache's name for the last cell that failed
        self._payload: list[dict[str, Any]] = []

    async def execute(
        self,
        code: str,
        *,
        silent: bool,
        store_history: bool,
        user_expressions: Mapping[str, str],
    ) -> Outcome:
        """Run one cell; see `Engine.execute`."""
        if not self._guard.active:
            self._guard.begin()
        try:
            number = self._count(code) if store_history and not silent else None
            self._payload = []
            failure = await self._run(code, number, silent=silent)
            expressions = {} if failure else self._evaluate_all(user_expressions)
            return Outcome(failure=failure, payload=self._payload, user_expressions=expressions)
        except KeyboardInterrupt as interrupt:  # between two guarded stretches
            return Outcome(failure=self._describe(interrupt), payload=self._payload)
        except Exception as trouble:  # noqa: BLE001 - no descriptor is left to load a module of ours
            return Outcome(failure=Failure.of(trouble), payload=self._payload)
        finally:
            self._guard.active = False

    def complete(self, code: str, cursor: int) -> Completion:
        """Complete `code` at `cursor`; see `Engine.complete`."""
        from minikernel.interpreter.introspect import complete  # noqa: PLC0415 - on first use

        found, error = self._caller.call(complete, code, cursor, self._namespace)
        if error is not None:
            cursor = max(0, min(cursor, len(code)))
            return Completion(matches=[], start=cursor, end=cursor)
        return found  # type: ignore[no-any-return] # Caller.call hands on what complete returned

    def inspect(self, code: str, cursor: int, detail: int) -> MimeBundle | None:
        """Describe the name at `cursor`; see `Engine.inspect`."""
        from minikernel.interpreter.describe import describe_at

        return self._caller.call(describe_at, code, cursor, detail, self._namespace)[0]  # type: ignore[no-any-return] # as above

    def is_complete(self, code: str) -> tuple[Literal["complete", "incomplete", "invalid"], str]:
        """Judge whether the cell can run; see `Engine.is_complete`."""
        from minikernel.interpreter.completeness import is_complete

        return is_complete(code, self._flags)

    def save(self) -> None:
        """Write pending history; see `Engine.save`."""
        super().save()
        with contextlib.suppress(Exception):  # it is needed when no descriptor is left
            from minikernel.interpreter import tracebacks  # noqa: F401 - costs a start 3 ms

    def close(self) -> None:
        """Release the user's objects, write what is pending, put back all that was replaced."""
        self._surroundings.restore_builtins()
        self._results.forget()
        self._caller.call(clear, self._namespace)
        super().close()
        self._surroundings.restore()

    # Running a cell

    def _count(self, code: str) -> int | None:
        """Give the cell its number; a blank one gets none."""
        if not code or code.isspace():
            return None
        self.execution_count += 1
        self._results.keep_source(code)
        self._history.add(self.execution_count, code)
        return self.execution_count

    async def _run(self, code: str, number: int | None, *, silent: bool) -> Failure | None:
        if number is None:
            self._uncounted += 1
        filename = f"<cell {number}>" if number else f"<uncounted cell {self._uncounted}>"
        try:
            cell = compile_cell(code, filename, self._flags)
        except Exception as refusal:  # noqa: BLE001 - see compile_cell
            flat = dedented(code) if isinstance(refusal, IndentationError) else code
            if flat != code:
                return await self._run(flat, number, silent=silent)
            return self._help_or_failure(code, with_line(refusal, code))
        self._flags = cell.flags
        remember_source(filename, code)
        if (cell.awaits or "asyncio" in sys.modules or "asyncio" in code) and not _in_loop():
            try:
                await enter_loop()
            except Exception as trouble:  # noqa: BLE001 - no descriptor is left, or modules of the user's in the way
                if cell.awaits:
                    return self._finish(cell, filename, number, None, trouble)
        if cell.awaits:
            shown, error = await self._caller.run_task(self._evaluate_awaiting(cell, silent=silent))
        elif _in_loop():
            shown, error = await self._caller.call_in_task(self._evaluate, cell, silent)
        else:
            shown, error = self._caller.call(self._evaluate, cell, silent)
        return self._finish(cell, filename, number, shown, error)

    def _finish(
        self,
        cell: Cell,
        filename: str,
        number: int | None,
        shown: Shown | None,
        error: BaseException | None,
    ) -> Failure | None:
        failure = None if error is None else self._describe(error)
        if shown is not None:
            failure = self._publish(number, *shown)
        for hook in self._surroundings.after_cell:
            self._caller.call(hook)
        if not cell.leaves_code():
            if failure is not None:
                filename, self._failed_file = self._failed_file, filename
            forget_source(filename)
        return failure

    def _evaluate(self, cell: Cell, silent: bool) -> Shown | None:  # noqa: FBT001 - Caller.call's
        """Run a plain cell; everything in here is the user's code, formatting included."""
        if cell.body is not None:
            exec(cell.body, self._namespace)  # noqa: S102 - what a kernel is for
        if cell.last is None:
            return None
        return self._show(eval(cell.last, self._namespace), silent=silent)  # noqa: S307 - as above

    async def _evaluate_awaiting(self, cell: Cell, *, silent: bool) -> Shown | None:
        """Run a cell with top-level await, in which either part may be a coroutine."""
        value: Any = None
        for code in (cell.body, cell.last):
            value = None if code is None else eval(code, self._namespace)  # noqa: S307 - as above
            if is_coroutine(code):
                value = await value
        return None if cell.last is None else self._show(value, silent=silent)

    def _show(self, value: object, *, silent: bool) -> Shown | None:
        if type(value) is Quitter:
            value()
        if value is None or silent:
            return None
        if sys.displayhook is not displayhook:
            sys.displayhook(value)  # the user's own, rich.pretty.install() say
        elif not shows_itself(value):
            return (value, *self._displayer.formatter.format(value))
        return value, {}, {}

    # What comes of it

    def _publish(
        self,
        number: int | None,
        value: object,
        data: MimeBundle,
        metadata: MimeBundle,
    ) -> Failure | None:
        self._results.keep_value(number, value)
        if not data:
            return None
        try:
            if number is not None and isinstance(text := data.get(PLAIN), str):
                self._history.add_output(number, text)
            self._frontend.result(self.execution_count, data, metadata)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - what the value says of itself is no JSON
            return self._describe(error)
        return None

    def _describe(self, error: BaseException) -> Failure | None:
        """Note an exception for pdb.pm() and describe it; `exit()` isn't one."""
        if isinstance(error, LeaveKernel):
            self._payload.append(error.payload)
            return None
        try:
            from minikernel.interpreter import tracebacks  # only when something failed
        except Exception:  # noqa: BLE001 - no descriptor is left, or modules of the user's in the way
            return Failure.of(error)

        self._guard.pending = False  # one interrupt more does not cost the traceback
        failure, trouble = self._caller.call(tracebacks.failure_of, error)
        sys.last_type, sys.last_value = type(error), error
        sys.last_traceback = error.__traceback__
        sys.last_exc = error  # type: ignore[attr-defined, unused-ignore] # Python 3.12
        if trouble is not None:
            failure = tracebacks.message(type(error).__name__, f"no traceback: {trouble!r}")
        return failure  # type: ignore[no-any-return] # Caller.call hands on what it called

    def _help_or_failure(self, code: str, error: Exception) -> Failure | None:
        """Answer a cell that is not Python: `name?`, a magic, or a mistake."""
        from minikernel.interpreter import magics, tracebacks  # only when something failed

        if question := question_in(code):
            return self._answer(*question)
        if code.strip() in ("?", "??"):
            self._page({PLAIN: magics.HELP})
            return None
        if isinstance(error, SyntaxError) and (word := magics.advice(code, error.lineno)):
            return tracebacks.message("UsageError", word)
        error.__traceback__ = None
        return self._describe(error)

    def _answer(self, name: str, detail: int) -> Failure | None:
        from minikernel.interpreter.describe import describe

        page, _ = self._caller.call(describe, name, detail, self._namespace)
        page = page or self.inspect(name, len(name), detail)
        self._page(page or {PLAIN: f"Object `{name}` not found."})
        return None

    def _page(self, data: MimeBundle) -> None:
        self._payload.append({"source": "page", "data": data, "start": 0})

    def _evaluate_all(self, expressions: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
        return {name: self._evaluate_one(text) for name, text in expressions.items()}

    def _evaluate_one(self, text: str) -> Mapping[str, Any]:
        bundle, error = self._caller.call(self._format_expression, text)
        if error is None:
            return {"status": "ok", "data": bundle[0], "metadata": bundle[1]}
        from minikernel.interpreter import tracebacks  # only when something failed

        return {"status": "error", **vars(tracebacks.failure_of(error))}

    def _format_expression(self, text: str) -> tuple[MimeBundle, MimeBundle]:
        value = eval(text, self._namespace)  # noqa: S307 - what a kernel is for
        return self._displayer.formatter.format(value)


def _in_loop() -> bool:
    """Whether an asyncio loop runs in this thread, without importing asyncio to ask."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None
