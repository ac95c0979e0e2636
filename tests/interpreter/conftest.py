"""A frontend that records, and a driver that does for an engine what the kernel does."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import textwrap
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.interpreter.python import PythonEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel.interpreter.base import Outcome


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What jedi has not read before takes seconds on a busy machine."""
    monkeypatch.setattr("minikernel.interpreter.introspect.PATIENCE", 60.0)


class Recorder:
    """A frontend that notes what it is asked to show, and answers from a list."""

    def __init__(self) -> None:
        self.results: list[tuple[int, dict[str, Any], dict[str, Any]]] = []
        self.displays: list[dict[str, Any]] = []
        self.cleared: list[bool] = []
        self.questions: list[tuple[str, bool]] = []
        self.answers: deque[str] = deque()

    def display(
        self,
        data: Any,
        metadata: Any,
        *,
        display_id: Any = None,
        update: Any = False,
        transient: Any = None,
    ) -> None:
        shown = {"data": data, "metadata": metadata, "display_id": display_id, "update": update}
        self.displays.append({**shown, "transient": transient})

    def result(self, count: int, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.results.append((count, data, metadata))

    def clear_output(self, *, wait: bool = False) -> None:
        self.cleared.append(wait)

    def input(self, prompt: str, *, password: bool = False) -> str:
        self.questions.append((prompt, password))
        if not self.answers:
            raise NotImplementedError("this request does not allow input()")
        return self.answers.popleft()

    @property
    def texts(self) -> list[str]:
        """The plain text of every result."""
        return [data["text/plain"] for _, data, _ in self.results]


class Session:
    """An engine, driven cell by cell."""

    def __init__(self, engine: PythonEngine, frontend: Recorder) -> None:
        self.engine = engine
        self.frontend = frontend
        self.loop: asyncio.AbstractEventLoop | None = None

    def __call__(
        self,
        code: str,
        *,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
    ) -> Outcome:
        cell = self.engine.execute(
            code,
            silent=silent,
            store_history=store_history,
            user_expressions=user_expressions or {},
        )
        if self.loop is None:
            try:
                cell.send(None)
            except StopIteration as end:
                return end.value
            self.loop = asyncio.new_event_loop()
        task = self.loop.create_task(cell)
        while True:
            try:
                return self.loop.run_until_complete(task)
            except KeyboardInterrupt:  # came out of a task of the user's
                continue

    def good(self, code: str, **options: Any) -> Outcome:
        outcome = self(code, **options)
        assert outcome.failure is None, "\n".join(outcome.failure.traceback)
        return outcome

    def bad(self, code: str, **options: Any) -> Any:
        outcome = self(code, **options)
        assert outcome.failure is not None
        return outcome.failure

    def value(self, expression: str) -> Any:
        return eval(expression, self.engine._namespace)

    def close(self) -> None:
        self.engine.close()
        if self.loop is not None:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()


@pytest.fixture
def frontend() -> Recorder:
    return Recorder()


@pytest.fixture
def cell(frontend: Recorder) -> Iterator[Session]:
    session = Session(PythonEngine(frontend, history_file=None), frontend)
    handler = signal.signal(signal.SIGINT, lambda *_: session.engine.interrupted())
    yield session
    signal.signal(signal.SIGINT, handler)
    session.close()


def _plain(failure: Any) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(failure.traceback))


def _in_child(code: str, *, may_print: bool = False) -> str:
    """Run a script that makes engines of its own; return what it printed."""
    prelude = """
        import sys
        import __main__ as before
        from minikernel.interpreter.python import PythonEngine
        class Frontend:
            def display(self, data, metadata, **options): print("display", data)
            def result(self, count, data, metadata): print("result", data["text/plain"])
            def clear_output(self, **options): print("clear")
            def input(self, prompt, *, password=False): return "answer"
        engine = PythonEngine(Frontend(), history_file=None)
        def send(code):
            options = dict(silent=False, store_history=True, user_expressions={})
            coroutine = engine.execute(code, **options)
            try:
                coroutine.send(None)
            except StopIteration as end:
                return end.value
            return coroutine
        """
    script = textwrap.dedent(prelude) + textwrap.dedent(code)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr if not may_print else "") == (0, ""), run.stderr
    return run.stdout


@pytest.fixture
def plain() -> Any:
    """The function that gives the text of a failure's traceback, without colours."""
    return _plain


@pytest.fixture
def in_child() -> Any:
    """The function that runs a script in a process of its own."""
    return _in_child
