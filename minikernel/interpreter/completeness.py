"""Whether a cell can run as it is, or how it goes on."""

from __future__ import annotations

import codeop
import re
import warnings
from typing import Literal

from minikernel.interpreter.cells import AWAIT, dedented

Verdict = tuple[Literal["complete", "incomplete", "invalid"], str]

_INDENT = " " * 4
_REFUSALS = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)
_EXTRA = re.compile(r"\s*(?:[%!?]|.*\?\s*$)")  # magics, shell escapes, help: for others to judge
_LEAVES = re.compile(r"\s*(?:return|raise|pass|break|continue)\b")
_COMMENT = re.compile(r"\s*#[^'\"]*$")


def is_complete(code: str, flags: int) -> Verdict:
    """Judge `code` as IPython's prompt does: a block wants a blank line, or a newline, at its end.

    Args:
        code: The cell so far.
        flags: The __future__ flags in force.

    Returns:
        The verdict, and the indent of the next line if it is "incomplete".
    """
    code, margin = dedented(code), code
    margin = margin[: len(margin) - len(margin.lstrip(" \t"))]
    lines = code.split("\n")
    if not code.strip() or (len(lines) == 1 and _EXTRA.match(code)):
        return "complete", ""
    try:
        continued = code.rstrip("\n").endswith("\\")  # nothing has come after it yet
        compiled = not continued and _compile(code, flags)
    except _REFUSALS as refusal:
        if not _is_open_string(refusal, lines, flags):
            return "invalid", ""
        compiled = False
    block = _last_line(lines)[:1].isspace() and lines[-1].strip() != ""
    if compiled and not (block and _is_block(code, flags)):
        return "complete", ""
    return "incomplete", margin + _next_indent(lines)


def _is_open_string(refusal: BaseException, lines: list[str], flags: int) -> bool:
    """Whether a string has begun within brackets, and the brackets are open: `f('`."""
    if not isinstance(refusal, SyntaxError) or "unterminated" not in str(refusal.msg):
        return False
    line, column = (refusal.lineno or 1) - 1, (refusal.offset or 1) - 1
    if any(bracket in lines[line][column:] for bracket in ")]}"):
        return False
    try:
        return not _compile("\n".join([*lines[:line], lines[line][:column]]), flags)
    except _REFUSALS:
        return False


def _compile(code: str, flags: int) -> bool:
    """Return whether `code` compiles, False if it only lacks its end; raise if it never can."""
    compiler = codeop.CommandCompiler()
    compiler.compiler.flags |= flags | AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compiler(code, "<cell>", "exec") is not None


def _is_block(code: str, flags: int) -> bool:
    """Whether one more indented line could follow: not so within brackets or a string."""
    lines = code.split("\n")
    last = _last_line(lines)
    indent = last[: len(last) - len(last.lstrip())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(f"{code}\n{indent}pass", "<cell>", "exec", flags | AWAIT, dont_inherit=True)
        except _REFUSALS:
            return False
    return True


def _last_line(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "")


def _next_indent(lines: list[str]) -> str:
    last = _last_line(lines)
    indent = last[: len(last) - len(last.lstrip())]
    if _COMMENT.sub("", last).rstrip().endswith(":"):
        return indent + _INDENT
    return indent[: -len(_INDENT)] if _LEAVES.match(last) else indent
