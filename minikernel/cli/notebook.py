"""A notebook on a fresh kernel: cell by cell, the outputs written back at the end."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.cli.capture import Capture
from minikernel.cli.document import read, written
from minikernel.cli.kernels import kernel_of_our_own
from minikernel.cli.target import Target
from minikernel.cli.terminal import CLEAR_LINE, has_colours, safe, say
from minikernel.client.escape import shortened
from minikernel.client.terminal import ask_terminal
from minikernel.errors import ConfigError, KernelDied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

    from minikernel import MiniKernelClient, Result
    from minikernel.client.verifier import Msg

FAILED, INTERRUPTED = 1, 130  # exit codes
SKIP, MAY_FAIL = "skip-execution", "raises-exception"  # nbclient's tags
ON_ITS_WAY = 0.2  # seconds in which what was printed before an end may still come


def run(path: Path, *, output: Path | None, allow_errors: bool, timeout: float | None) -> int:
    """Run a notebook and write it back; the exit code.

    Args:
        path: of the notebook.
        output: where to write it; None: back.
        allow_errors: whether to go on after a cell that failed.
        timeout: seconds that a cell may take; None: any.

    Raises:
        ConfigError: a file can't be read or written, or is not a Python notebook.
    """
    book = read(path)
    if output is None and not path.is_file():
        raise ConfigError(f"{str(path)!r} is not a file to write back to: name one with --output")
    target = Target(output or path)
    target.check()
    progress = Progress(sum(1 for _ in _cells_to_run(book)))
    with kernel_of_our_own(
        cwd=path.resolve().parent, extra_arguments=["--history", "off"]
    ) as client:
        execution = Execution(client, progress, book, allow_errors=allow_errors, timeout=timeout)
        try:
            code = execution.run()
        finally:
            progress.clear()
            execution.finish()
            _write(written(book), target)
    say(f"{progress.summary}, written to {target}", sys.stderr)
    return code


def _write(content: bytes, target: Target) -> None:
    """Write the results, somewhere else if need be. Raises ConfigError: not where they belong."""
    try:
        target.write(content)
    except OSError as problem:
        raise ConfigError(f"{str(target)!r}: {problem.strerror}: {_rescued(content)}") from None


def _rescued(content: bytes) -> str:
    try:
        descriptor, name = tempfile.mkstemp(prefix="minikernel-", suffix=".ipynb")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError:
            Path(name).unlink()
            raise
    except OSError:
        return "the results are lost, the file is as it was"
    return f"the file is as it was, and the results are in {name!r}"


class Execution:
    """Runs the cells of one notebook."""

    def __init__(
        self,
        client: MiniKernelClient,
        progress: Progress,
        book: NotebookNode,
        *,
        allow_errors: bool,
        timeout: float | None,
    ) -> None:
        self._client = client
        client.holds_signals = True
        self._progress = progress
        self._book = book
        self._allow_errors = allow_errors
        self._timeout = timeout
        self._capture = Capture(book, client)
        self._heard: set[object] = {None}  # the requests of the cells so far

    def run(self) -> int:
        """Run all cells, or up to one that fails; the exit code."""
        answer = self._client.request_control("kernel_info_request")
        self._book.metadata["language_info"] = answer.get("language_info", {})
        code = 0
        for index, cell in _cells_to_run(self._book):
            self._progress.next(cell.source)
            try:
                result = self._run(index, cell.source)
            except (KernelDied, TimeoutError) as problem:
                return self._complain(f"{self._progress.cell}: {_said(problem, self._timeout)}")
            if result.missed or not result.complete:
                code = self._complain(f"{self._progress.cell}: some of its outputs were lost")
            error = result.error
            if error is None or MAY_FAIL in _tags(cell):
                continue
            interrupted = error.ename == "KeyboardInterrupt"
            if interrupted or not self._allow_errors:
                self._complain("\n".join(error.traceback))
                return INTERRUPTED if interrupted else FAILED
        return code

    def finish(self) -> None:
        """Put all that came into the notebook."""
        self._capture.settle()
        self._capture.set_widgets_metadata()

    def _run(self, index: int, source: str) -> Result:
        self._capture.begin(index)
        before = frozenset(self._heard)

        def take(msg: Msg) -> None:
            self._heard.add(msg["parent_header"].get("msg_id"))
            self._capture.take(msg, index)

        try:
            result = self._client.run(
                source, timeout=self._timeout, on_output=take, on_input=self._ask
            )
        except BaseException:  # whatever ends it: what came before is kept
            self._take_the_rest(index, before)
            raise
        for item in result.payload:
            if item.get("source") == "page" and isinstance(item.get("data"), dict):
                self._capture.page(item["data"], index)
        return result

    def _take_the_rest(self, index: int, before: frozenset[object]) -> None:
        """What has come, or is about to; those of other cells are not this one's."""
        with contextlib.suppress(queue.Empty):
            while True:
                msg = self._client.get_iopub_msg(timeout=ON_ITS_WAY)
                if msg["parent_header"].get("msg_id") not in before:
                    self._capture.take(msg, index)

    def _ask(self, prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
        self._progress.clear()
        return ask_terminal(prompt, password)

    def _complain(self, text: str) -> int:
        self._progress.clear()
        print(safe(text, colours=has_colours(sys.stderr)), file=sys.stderr)
        return FAILED


def _said(problem: Exception, timeout: float | None) -> str:
    return f"took longer than {timeout:g} s" if isinstance(problem, TimeoutError) else str(problem)


class Progress:
    """Which cell runs, on standard error: in place on a terminal, else a line a cell."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._in_place = sys.stderr.isatty()

    def next(self, source: str) -> None:
        """The next cell begins."""
        self._done += 1
        text = f"{self.cell} ...  {source.strip().splitlines()[0]}"
        text = shortened(text, shutil.get_terminal_size().columns - 1)
        if self._in_place:
            print(end=CLEAR_LINE + text, file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    @property
    def cell(self) -> str:
        """Which cell runs."""
        return f"cell {self._done} of {self._total}"

    def clear(self) -> None:
        """Make room for something else."""
        if self._in_place:
            print(end=CLEAR_LINE, file=sys.stderr, flush=True)

    @property
    def summary(self) -> str:
        """How far it came."""
        took = time.monotonic() - self._began
        return f"{self._done} of {self._total} cells run in {took:.1f} s"


def _cells_to_run(book: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    for index, cell in enumerate(book.cells):
        if cell.get("cell_type") == "code" and cell.source.strip() and SKIP not in _tags(cell):
            yield index, cell


def _tags(cell: NotebookNode) -> list[str]:
    tags = cell.metadata.get("tags", [])
    return list(tags) if isinstance(tags, list) else []
