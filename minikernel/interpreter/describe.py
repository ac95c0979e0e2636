"""A page about an object: signature, docstring, source, as `name?` and Shift-Tab show it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
from collections.abc import Sized
from typing import TYPE_CHECKING

from minikernel.interpreter.base import THEIRS
from minikernel.interpreter.formatting import PLAIN
from minikernel.interpreter.introspect import asked_at, find, jedi_docstring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel.interpreter.base import MimeBundle, Value
    from minikernel.interpreter.evaluation import Namespace

_RED, _OFF = "\x1b[31m", "\x1b[39m"
_LONGEST = 400  # characters of a value's repr


def describe_at(code: str, cursor: int, detail: int, namespace: Namespace) -> MimeBundle | None:
    """Describe what is at `cursor`, or else the function that is being called there.

    Args:
        code: Any text.
        cursor: In code points; what is outside counts as the nearer end.
        detail: 1 for the source as well.
        namespace: Where names are looked up.
    """
    cursor = max(0, min(cursor, len(code)))
    for name, end in asked_at(code, cursor):
        if name and (page := describe(name, detail, namespace)):
            return page
        if name and (text := jedi_docstring(code, end, namespace)):
            return {PLAIN: text}
    return None


def describe(name: str, detail: int, namespace: Namespace) -> MimeBundle | None:
    """Describe the object that a dotted name refers to; None if there is none."""
    try:
        value = find(name, namespace)
    except LookupError:
        return None
    parts = list(_parts(name, value, detail))
    return {PLAIN: "\n".join(f"{_RED}{head}:{_OFF}{text}" for head, text in parts)}


def _parts(name: str, value: object, detail: int) -> Iterator[tuple[str, str]]:
    is_code = callable(value) or inspect.ismodule(value)
    if callable(value) and (signature := _signature(value)):
        head = "Init signature" if isinstance(value, type) else "Signature"
        yield head, f" {name.rpartition('.')[2]}{signature}"
    if not is_code:
        yield "Value", f" {_short_repr(value)}"
        if isinstance(value, Sized):
            yield "Length", f" {_length(value)}"
    source = source_of(value) if detail else ""
    if source:
        yield "Source", f"\n{source.rstrip()}"
    else:
        yield "Docstring", _docstring(value)
        if isinstance(value, type) and (text := _init_docstring(value)):
            yield "Init docstring", text
    if filename := _filename(value):
        yield "File", f" {filename}"
    yield "Type", f" {type(value).__name__}"


def source_of(value: Value) -> str:
    """Return the source of a function, class or module; "" if it has none in Python."""
    try:
        return inspect.getsource(inspect.unwrap(value) if callable(value) else value)
    except (OSError, TypeError, ValueError):
        return _class_source(value) if isinstance(value, type) else ""
    except THEIRS:
        return ""


def _class_source(kind: type) -> str:
    """Find a class of a cell by the file of its methods: inspect wants a module with a file."""
    codes = (getattr(value, "__code__", None) for value in vars(kind).values())
    filename = next((code.co_filename for code in codes if code), "")
    source = "".join(linecache.getlines(filename))
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return ""
    for node in nodes:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            return ast.get_source_segment(source, node) or ""
    return ""


def _signature(value: Value) -> str:
    with contextlib.suppress(Exception):  # no signature, or a default whose __repr__ fails
        return str(inspect.signature(value))
    return ""


def _docstring(value: object) -> str:
    text: object = None
    with contextlib.suppress(Exception):  # the object's own __doc__
        text = inspect.getdoc(value)
    if not isinstance(text, str):
        return " <no docstring>"
    return f"\n{text}" if "\n" in text else f" {text}"


def _init_docstring(kind: type) -> str:
    init = inspect.getattr_static(kind, "__init__", None)
    if init is None or init is object.__init__ or not inspect.isfunction(init) or not init.__doc__:
        return ""
    return _docstring(init)


def _filename(value: Value) -> str:
    with contextlib.suppress(Exception):  # built in, or no file
        return inspect.getfile(inspect.unwrap(value) if callable(value) else value)
    return ""


def _short_repr(value: object) -> str:
    try:
        text = repr(value)
    except THEIRS as error:
        return f"<its __repr__ raised {type(error).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _length(value: Sized) -> str:
    try:
        return str(len(value))
    except THEIRS as error:
        return f"<its __len__ raised {type(error).__name__}>"
