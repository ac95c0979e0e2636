"""The code objects of a cell's source, and the source that their filename names."""

from __future__ import annotations
import __future__

import ast
import inspect
import linecache
from types import CodeType
from typing import NamedTuple

FEATURES = 0  # the compile flags of every `from __future__ import ...`
for _name in __future__.all_feature_names:
    FEATURES |= getattr(__future__, _name).compiler_flag

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_PARSE = AWAIT | ast.PyCF_ONLY_AST


class Cell(NamedTuple):
    """A compiled cell."""

    body: CodeType | None  # all statements but a last expression
    last: CodeType | None  # the last expression, if its value is to be shown
    flags: int  # the __future__ flags in force after the cell
    awaits: bool  # one of the two is a coroutine

    def leaves_code(self) -> bool:
        """Whether functions, classes or generators made by the cell may outlive it."""
        return _has_code_in_it(self.body) or _has_code_in_it(self.last)


def compile_cell(source: str, filename: str, flags: int) -> Cell:
    """Compile a cell, with the __future__ flags of the cells before it.

    Raises:
        SyntaxError: the source is not Python. ValueError, OverflowError, MemoryError and
            RecursionError are the compiler's other ways to say so.
    """
    tree = compile(source, filename, "exec", flags | _PARSE, dont_inherit=True)
    statements = tree.body
    final = statements[-1] if statements else None
    value = None
    if type(final) is ast.Expr and not (";" in source and _ends_with_semicolon(source, final)):
        value = final.value
        statements.pop()
    body = last = None
    if statements:
        body = compile(tree, filename, "exec", flags | AWAIT, dont_inherit=True)
        flags |= body.co_flags & FEATURES
    if value is not None:
        expression = ast.Expression(value)
        last = compile(expression, filename, "eval", flags | AWAIT, dont_inherit=True)
    return Cell(body, last, flags, is_coroutine(body) or is_coroutine(last))


def dedented(source: str) -> str:
    """The source without the indent of its first line, as IPython runs pasted code."""
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    return "\n".join(line.removeprefix(indent) for line in lines)


def with_line(error: Exception, source: str) -> Exception:
    """Give an error of the compiler, which has only seen a tree, the text of its line."""
    if isinstance(error, SyntaxError) and error.text is None and error.lineno:
        error.text = "".join(source.split("\n")[error.lineno - 1 : error.lineno]) or None
    return error


def is_coroutine(code: CodeType | None) -> bool:
    """Whether running the code makes a coroutine."""
    return code is not None and bool(code.co_flags & inspect.CO_COROUTINE)


def _has_code_in_it(code: CodeType | None) -> bool:
    if code is not None:
        for const in code.co_consts:
            if type(const) is CodeType:
                return True
    return False


def _ends_with_semicolon(source: str, statement: ast.stmt) -> bool:
    """Whether a semicolon follows the last statement, rather than a comment that has one."""
    lines = source.splitlines() if "\r" in source else source.split("\n")
    rest = lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset :]
    return rest.lstrip().startswith(b";")


def remember_source(filename: str, source: str) -> None:
    """Let linecache, and so tracebacks, pdb, inspect and doctest, find the source.

    An entry without a modification time is one that linecache.checkcache keeps.
    """
    lines = [line + "\n" for line in source.split("\n")]
    try:  # noqa: SIM105 - for each cell: a context manager takes longer
        linecache.cache[filename] = (len(source), None, lines, filename)
    except (TypeError, AttributeError):  # a cell has put something else there
        pass


def forget_source(filename: str) -> None:
    """Drop the source of a cell that no living code can ask for."""
    try:  # noqa: SIM105 - as above
        linecache.cache.pop(filename, None)
    except (TypeError, AttributeError):
        pass
