"""What an exception looks like: its name, its text and a coloured traceback."""

from __future__ import annotations

import contextlib
import pathlib
import re
import traceback
from typing import TYPE_CHECKING

from minikernel.interpreter.base import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_PACKAGE = pathlib.Path(__file__).parents[1]
_ENGINE = (str(_PACKAGE / "interpreter") + "/", str(_PACKAGE / "kernel") + "/")

_RED, _PINK, _BOLD, _DIM, _OFF = "\x1b[31m", "\x1b[35m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"
_FRAME = re.compile(r'^(\s*(?:\|\s*)*)File "(.*)", line (\d+)(?:, in (.*))?$')
LONGEST_CHAIN = 20  # exceptions of a chain that are coloured
_HEADER = "Traceback (most recent call last):"
_MARKS = re.compile(r"^[\s|]*[\^~]+\s*$")


def failure_of(error: BaseException) -> Failure:
    """Describe an exception for the protocol; whatever its own methods do, this returns.

    Only KeyboardInterrupt, SystemExit and the like get out, from an exception's own __str__.
    """
    error.__traceback__ = users_frames(error.__traceback__)
    name = type(error).__name__
    try:
        lines = list(_coloured(_format(error), _names(error)))
    except Exception as trouble:  # noqa: BLE001 - an exception may break any of the methods we call
        lines = [f"{_BOLD}{name}{_OFF}: no traceback, because of {type(trouble).__name__}"]
    return Failure(ename=name, evalue=_text(error), traceback=lines)


def message(name: str, text: str) -> Failure:
    """Describe a failure other than an exception of the user's code: one line, no traceback."""
    return Failure(ename=name, evalue=text, traceback=[f"{_BOLD}{name}{_OFF}: {text}"])


def users_frames(trace: TracebackType | None) -> TracebackType | None:
    """Cut off the frames of the engine, which calls the cell, and what the cell calls of it."""
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    step = trace
    while step is not None:
        if step.tb_next is not None and _is_ours(step.tb_next):
            step.tb_next = None
        step = step.tb_next
    return trace


def _is_ours(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_ENGINE)


def _format(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.__traceback__ is None:
        return "".join(traceback.format_exception_only(type(error), error))
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _names(error: BaseException) -> set[str]:
    """The names of the exceptions of a chain, without those inside of groups."""
    names: set[str] = set()
    link: BaseException | None = error
    for _ in range(LONGEST_CHAIN):
        if link is not None:
            names.add(type(link).__name__)
            link = link.__cause__ or link.__context__
    return names


def _coloured(text: str, names: set[str]) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        if frame := _FRAME.match(line):
            yield _coloured_frame(*frame.groups())
        elif _MARKS.match(line):
            yield f"{_RED}{line}{_OFF}"
        elif line.strip(" |+") == _HEADER or line.startswith("  [Previous line repeated"):
            yield f"{_DIM}{line}{_OFF}"
        else:
            yield _coloured_summary(line, names)


def _coloured_frame(margin: str, filename: str, line: str, function: str | None) -> str:
    where = f'{margin}File {_PINK}"{filename}"{_OFF}, line {_PINK}{line}{_OFF}'
    return where if function is None else f"{where}, in {_PINK}{function}{_OFF}"


def _coloured_summary(line: str, names: set[str]) -> str:
    """Colour the line that names the exception, qualified or not, and leave others alone."""
    head, colon, rest = line.partition(":")
    if line[:1].isspace() or head.rpartition(".")[2] not in names:
        return line
    return f"{_BOLD}{head}{_OFF}{colon}{rest}"


def _text(error: BaseException) -> str:
    with contextlib.suppress(Exception):  # the user's __str__
        return str(error)
    return f"<unprintable {type(error).__name__} object>"
