"""Completion, and finding the object under the cursor: by jedi, or with less by ourselves."""

from __future__ import annotations

import builtins
import importlib
import inspect
import keyword
import re
import sys
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.base import Completion

if TYPE_CHECKING:
    from types import ModuleType

_DOTTED = re.compile(r"[^\W\d]\w*(?:\s*\.\s*[^\W\d]\w*)*")
_PREFIX = re.compile(r"((?:[^\W\d]\w*\.)*)(\w*)$")
_IMPORT = re.compile(r"^\s*(?:import|from)\s+[\w.]*$")
_ABSENT = object()
LONGEST = 10_000  # characters that jedi is asked about

Namespace = dict[str, Any]


def complete(code: str, cursor: int, namespace: Namespace) -> Completion:
    """Complete `code` at `cursor`; whatever the code is, an answer comes back."""
    cursor = max(0, min(cursor, len(code)))
    try:
        found = _jedi_completion(code, cursor, namespace)
    except Exception:  # noqa: BLE001 - jedi is missing, or met code that it fails on
        found = None
    return found or _own_completion(code, cursor, namespace)


def name_at(code: str, cursor: int) -> str:
    """Return the dotted name at `cursor`, up to the part that the cursor is in; "" if none."""
    for match in _DOTTED.finditer(code):
        if match.start() <= cursor <= match.end():
            tail = re.match(r"\w*", code[cursor : match.end()])
            end = cursor + (tail.end() if tail else 0)
            return re.sub(r"\s", "", code[match.start() : end]).rstrip(".")
    return ""


def called_at(code: str, cursor: int) -> str:
    """Return the name of the function whose brackets the cursor is in; "" if none."""
    depth = 0
    for place in range(min(cursor, len(code)) - 1, -1, -1):
        if code[place] in ")]}":
            depth += 1
        elif code[place] in "([{":
            depth -= 1
            if depth < 0:
                name = name_at(code, len(code[:place].rstrip())) if code[place] == "(" else ""
                if name:
                    return name
                depth = 0
    return ""


def find(name: str, namespace: Namespace) -> Any:  # noqa: ANN401 - any object
    """Return the object that a dotted name stands for, without running its properties.

    Raises:
        LookupError: there is none. A property is returned as the property itself.
    """
    first, *rest = name.split(".")
    value = namespace.get(first, _ABSENT)
    if value is _ABSENT:
        value = getattr(builtins, first, _ABSENT)
    for part in rest:
        value = _attribute(value, part)
    if value is _ABSENT:
        raise LookupError(name)
    return value


def jedi_docstring(code: str, cursor: int, namespace: Namespace) -> str:
    """Return what jedi finds about a name that nothing has defined yet; "" if nothing."""
    try:
        jedi = _jedi(code)

        script = jedi.Interpreter(code, [namespace])
        names = script.help(*_position(code, cursor))
        texts = [name.docstring() for name in names if name.type != "keyword"]
    except Exception:  # noqa: BLE001 - as in complete()
        return ""
    return "\n\n".join(text for text in texts if text)


def _attribute(value: Any, name: str) -> Any:  # noqa: ANN401
    """Get an attribute, but a property or another descriptor in Python as itself."""
    if value is _ABSENT:
        return _ABSENT
    static = inspect.getattr_static(value, name, _ABSENT)
    if isinstance(static, property) and not isinstance(value, type):
        return static
    try:
        return getattr(value, name, _ABSENT)
    except Exception:  # noqa: BLE001 - the object's own __getattr__
        return _ABSENT


def _position(code: str, cursor: int) -> tuple[int, int]:
    """Line (from 1) and column of a cursor, as jedi counts them."""
    before = code[:cursor]
    return before.count("\n") + 1, cursor - (before.rfind("\n") + 1)


def _jedi_completion(code: str, cursor: int, namespace: Namespace) -> Completion | None:
    """Ask jedi. It may run properties, as it does for IPython: else `df.columns.` stays bare."""
    jedi = _jedi(code)

    script = jedi.Interpreter(code, [namespace])
    found = script.complete(*_position(code, cursor))
    if not found:
        return None
    length = found[0].get_completion_prefix_length()
    same = [item for item in found if item.get_completion_prefix_length() == length]
    return Completion(
        matches=[item.name_with_symbols for item in same],
        start=max(0, cursor - length),
        end=cursor,
        types=[item.type for item in same],
    )


def _jedi(code: str) -> ModuleType:
    """Import jedi, an extra, on first use: it takes 110 ms.

    Raises:
        ImportError: it is not installed.
        ValueError: on so much code it would take many seconds.
    """
    if len(code) > LONGEST:
        raise ValueError("too much code for jedi")
    return importlib.import_module("jedi")


def _own_completion(code: str, cursor: int, namespace: Namespace) -> Completion:
    line = code[:cursor].rpartition("\n")[2]
    match = _PREFIX.search(line)
    owner, prefix = match.groups() if match else ("", "")
    try:
        candidates = _candidates(line, owner.rstrip("."), namespace)
    except Exception:  # noqa: BLE001 - the object's own __dir__
        candidates = {}
    names = sorted(name for name in candidates if name.startswith(prefix))
    if not prefix:
        names = [name for name in names if not name.startswith("_")]
    return Completion(
        matches=names,
        start=cursor - len(prefix),
        end=cursor,
        types=[candidates[name] for name in names],
    )


def _candidates(line: str, owner: str, namespace: Namespace) -> dict[str, str]:
    if _IMPORT.match(line) and not owner:
        return dict.fromkeys(_modules(), "module")
    if owner:
        value = find(owner, namespace)
        return {
            name: _kind(inspect.getattr_static(value, name, None))
            for name in dir(value)
            if isinstance(name, str)
        }
    names = dict.fromkeys(keyword.kwlist, "keyword")
    names.update({name: _kind(value) for name, value in vars(builtins).items()})
    names.update({name: _kind(value) for name, value in list(namespace.items())})
    return names


def _modules() -> set[str]:
    import pkgutil  # noqa: PLC0415 - only to complete an import

    names = {module.name for module in pkgutil.iter_modules()}
    return names | set(sys.builtin_module_names)


def _kind(value: Any) -> str:  # noqa: ANN401
    """Name the kind of a value in jedi's words."""
    if isinstance(value, type):
        return "class"
    if inspect.ismodule(value):
        return "module"
    if isinstance(value, property):
        return "property"
    is_function = inspect.isroutine(value) or isinstance(value, (staticmethod, classmethod))
    return "function" if is_function else "instance"
