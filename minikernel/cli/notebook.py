"""A notebook on a fresh kernel: cell by cell, the outputs written back at the end."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import nbformat
import nbformat.reader

from minikernel.cli.exec import contents
from minikernel.cli.kernels import kernel_of_our_own
from minikernel.cli.terminal import CLEAR_LINE, has_colours, safe
from minikernel.client.escape import shortened
from minikernel.client.terminal import ask_terminal
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from minikernel import MiniKernelClient, Result

VERSION = 4  # of the notebook format
INTERRUPTED = 130
SKIP, MAY_FAIL = "skip-execution", "raises-exception"  # nbclient's tags
SHOWN = 150  # characters of what nbformat has to say
NEW_FILE = 0o666  # less the umask


def run(path: Path, *, output: Path | None, allow_errors: bool) -> int:
    """Run a notebook and write it back; the exit code.

    Args:
        path: of the notebook.
        output: where to write it; None: back.
        allow_errors: whether to go on after a cell that failed.

    Raises:
        ConfigError: a file can't be read or written, or is no notebook of Python's.
    """
    book = read(path)
    target = (output or path).resolve()  # a link stays one
    _check_writable(target)
    progress = Progress(sum(1 for _ in _cells_to_run(book)))
    with kernel_of_our_own(
        cwd=path.resolve().parent, extra_arguments=["--history", "off"]
    ) as client:
        try:
            code = Execution(client, progress, allow_errors=allow_errors).run(book)
        finally:
            progress.clear()
            write(book, target)
    print(f"{progress.summary}, written to {output or path}", file=sys.stderr)
    return code


class Execution:
    """Runs the cells of one notebook, and keeps track of displays that later cells update."""

    def __init__(self, client: MiniKernelClient, progress: Progress, *, allow_errors: bool) -> None:
        self._client = client
        self._progress = progress
        self._allow_errors = allow_errors
        self._displayed: dict[str, list[dict[str, Any]]] = {}

    def run(self, book: Any) -> int:  # noqa: ANN401 - nbformat is untyped
        """Run all cells, or up to one that fails; the exit code."""
        failed = 0
        for cell in _cells_to_run(book):
            self._progress.next(cell.source)
            error = self._run(cell).error
            if error is None or MAY_FAIL in _tags(cell):
                continue
            self._complain(error.traceback)
            failed = 1
            if error.ename == "KeyboardInterrupt":
                return INTERRUPTED
            if not self._allow_errors:
                return failed
        return failed

    def _run(self, cell: Any) -> Result:  # noqa: ANN401
        cell.outputs, cell.execution_count = [], None
        result = self._client.run(cell.source, on_input=self._ask)
        cell.outputs, cell.execution_count = result.outputs, result.execution_count
        for update in result.updates:
            self._update(update)
        for display_id, outputs in result.displayed.items():
            self._displayed.setdefault(display_id, []).extend(outputs)
        return result

    def _update(self, update: dict[str, Any]) -> None:
        display_id = update.get("transient", {}).get("display_id")
        for earlier in self._displayed.get(display_id, ()):
            earlier.update(data=update.get("data", {}), metadata=update.get("metadata", {}))

    def _ask(self, prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
        self._progress.clear()
        return ask_terminal(safe(prompt, colours=False), password)

    def _complain(self, traceback: list[str]) -> None:
        self._progress.clear()
        print(safe("\n".join(traceback), colours=has_colours(sys.stderr)), file=sys.stderr)


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
        text = f"cell {self._done} of {self._total} ...  {source.strip().splitlines()[0]}"
        text = shortened(text, shutil.get_terminal_size().columns - 1)
        if self._in_place:
            print(end=CLEAR_LINE + text, file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for something else."""
        if self._in_place:
            print(end=CLEAR_LINE, file=sys.stderr, flush=True)

    @property
    def summary(self) -> str:
        """How far it came."""
        took = time.monotonic() - self._began
        return f"{self._done} of {self._total} cells run in {took:.1f} s"


def _cells_to_run(book: Any) -> Iterator[Any]:  # noqa: ANN401
    for cell in book.cells:
        if cell.cell_type == "code" and cell.source.strip() and SKIP not in _tags(cell):
            yield cell


def _tags(cell: Any) -> list[str]:  # noqa: ANN401
    tags = cell.metadata.get("tags", [])
    return list(tags) if isinstance(tags, list) else []


def read(path: Path) -> Any:  # noqa: ANN401 - nbformat is untyped
    """A notebook, in version 4 of the format.

    Raises:
        ConfigError: the file can't be read, is no notebook, or one of another language.
    """
    content = contents(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing cell ids, which are added
            book = nbformat.convert(nbformat.reader.reads(content.decode()), VERSION)
            nbformat.validate(book)
    except (UnicodeDecodeError, nbformat.reader.NotJSONError):
        raise ConfigError(f"{str(path)!r} is no notebook: not JSON in UTF-8") from None
    except nbformat.ValidationError as error:
        said = shortened(str(error).split("\n")[0], SHOWN)
        raise ConfigError(f"{str(path)!r} is no valid notebook: {said}") from None
    except Exception:  # noqa: BLE001 - nbformat trips over other JSON in many ways
        raise ConfigError(f"{str(path)!r} is no notebook, but other JSON") from None
    spec, info = (book.metadata.get(name, {}) for name in ("kernelspec", "language_info"))
    language = spec.get("language") or info.get("name") or "python"
    if str(language).lower() not in {"python", "ipython"}:
        raise ConfigError(f"{str(path)!r} is written in {language}, this kernel runs Python")
    return book


def _check_writable(target: Path) -> None:
    """Complain before the cells have run, not after."""
    if target.is_dir():
        raise ConfigError(f"{str(target)!r} is a directory")
    if (
        not target.parent.is_dir()
        or not os.access(target.parent, os.W_OK)
        or (target.exists() and not os.access(target, os.W_OK))
    ):
        raise ConfigError(f"{str(target)!r} can't be written")


def write(book: Any, target: Path) -> None:  # noqa: ANN401
    """Write a notebook, whole or not at all; a file that was there keeps its mode.

    Raises:
        ConfigError: it can't be written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = nbformat.writes(nbformat.from_dict(book)) + "\n"
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NEW_FILE), "w") as file:
            file.write(text)
        if mode is not None:
            draft.chmod(mode)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{str(target)!r}: {error.strerror}") from None
