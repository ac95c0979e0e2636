"""Completion, and finding the object under the cursor: by jedi, or with less by ourselves."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import inspect
import keyword
import re
import sys
from typing import TYPE_CHECKING

from minikernel.interpreter.base import THEIRS, Completion
from minikernel.interpreter.deadline import within
from minikernel.interpreter.evaluation import evaluate, known
from minikernel.interpreter.keys import matches, subscript_at
from minikernel.interpreter.places import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from minikernel.interpreter.base import Value
    from minikernel.interpreter.evaluation import Namespace

_NAME = re.compile(r"\w*")
_IMPORT = re.compile(r"\s*(?:import|from)\s+[\w.]*")
_FROM = re.compile(r"\s*from\s+([\w.]+)\s+import\b.*")
_NEW = ("as", "class", "def")  # after these comes a name that does not exist yet
KEY = "dict key"
PATH = "path"
LONGEST = 10_000  # characters that jedi is asked about
DEEPEST = 200  # brackets; Python takes no more
PATIENCE = 4.0  # seconds that jedi may take


def complete(code: str, cursor: int, namespace: Namespace) -> Completion:
    """Complete `code` at `cursor`; whatever the code is, an answer comes back.

    Where nothing is known there is nothing: in comments, in strings (except keys and file names),
    after the dot of an object that nobody knows.
    """
    cursor = max(0, min(cursor, len(code)))
    place = Place(code[:cursor])
    nothing = Completion(matches=[], start=cursor, end=cursor)
    if place.in_comment:
        return nothing
    keys = matches(place, code[cursor:], namespace)
    if keys is not None and (keys[0] or place.string >= 0):
        return Completion(matches=keys[0], start=keys[1], end=cursor, types=[KEY] * len(keys[0]))
    if _is_number(place):
        return nothing
    try:
        if len(place.opened) > DEEPEST:
            raise ValueError("too deep for jedi")  # noqa: TRY301 - as what it raises itself
        found = _asked(_jedi_completion, code, cursor, namespace, place)
    except Exception:  # noqa: BLE001 - jedi is missing, or met code that it fails on
        return _own_completion(place, cursor, namespace) or nothing
    if found is None and _dot_before(place):
        found = _own_completion(place, cursor, namespace)
    return found or nothing


def name_at(code: str, cursor: int) -> str:
    """Return the expression at `cursor`, up to the name that the cursor is in; "" if none."""
    tail = _NAME.match(code, cursor)
    end = tail.end() if tail else cursor
    place = Place(code[:end])
    last = len(place.tokens) - 1
    if place.in_comment or place.string >= 0 or last < 0:
        return ""
    token = place.tokens[last]
    return place.primary(last) if token.kind == "name" and token.end == end else ""


def called_at(code: str, cursor: int) -> str:
    """Return the function whose brackets the cursor is in, as an expression; "" if none."""
    return _called(code, cursor)[0]


def find(name: str, namespace: Namespace) -> Value:
    """Return the object that an expression refers to, without running the user's code.

    Raises:
        LookupError: there is none. A property is returned as the property itself.
    """
    return evaluate(name, namespace)


def asked_at(code: str, cursor: int) -> Iterator[tuple[str, int]]:
    """Yield what an inspection at `cursor` may be about: expressions, and where they end."""
    tail = _NAME.match(code, cursor)
    yield name_at(code, cursor), tail.end() if tail else cursor
    yield _called(code, cursor)


def _called(code: str, cursor: int) -> tuple[str, int]:
    place = Place(code[: max(0, cursor)])
    for opened in reversed(place.opened):
        if opened.bracket == "(" and (name := place.primary(opened.token - 1)):
            return name, place.tokens[opened.token - 1].end
    return "", 0


def jedi_docstring(code: str, cursor: int, namespace: Namespace) -> str:
    """Return what jedi finds about a name that nothing has defined yet; "" if nothing."""
    texts: list[str] = []
    with contextlib.suppress(Exception):  # as in complete()
        texts = _asked(_jedi_docstrings, code, cursor, namespace)
    return "\n\n".join(text for text in texts if text)


def _jedi_docstrings(code: str, cursor: int, namespace: Namespace) -> list[str]:
    jedi = _jedi(code)

    names = jedi.Interpreter(code, [namespace]).help(*_position(code, cursor))
    return [name.docstring() for name in names if name.type != "keyword"]


def _position(code: str, cursor: int) -> tuple[int, int]:
    """Line (from 1) and column of a cursor, as jedi counts them."""
    before = code[:cursor]
    return before.count("\n") + 1, cursor - (before.rfind("\n") + 1)


def _jedi_completion(
    code: str, cursor: int, namespace: Namespace, place: Place
) -> Completion | None:
    """Ask jedi. It may run properties, as it does for IPython: else `df.columns.` stays bare."""
    jedi = _jedi(code)

    script = jedi.Interpreter(code, [namespace])
    found = [item for item in script.complete(*_position(code, cursor)) if _fits(item, place)]
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


def _fits(item: Value, place: Place) -> bool:
    """Whether what jedi offers can be meant: within a string only a key or a file name."""
    if place.string < 0:
        return True
    is_key = subscript_at(place) is not None
    return (item.type == PATH) != is_key and (not is_key or item.name_with_symbols[0] in "'\"")


def _jedi(code: str) -> ModuleType:
    """Import jedi, an extra, on first use: it takes 110 ms.

    Raises:
        ImportError: it is not installed.
        ValueError: on so much code it would take many seconds.
    """
    if len(code) > LONGEST:
        raise ValueError("too much code for jedi")
    return importlib.import_module("jedi")


def _asked(question: Callable[..., Value], *args: object) -> Value:
    """What jedi says; a file of its cache may be half written, now or since somebody was killed."""
    try:
        return within(PATIENCE, question, *args)
    except Exception as problem:
        from pickle import UnpicklingError  # jedi has imported it, if it was there

        if not isinstance(problem, (EOFError, OSError, UnpicklingError)):
            raise
        with contextlib.suppress(Exception):
            cache = importlib.import_module("parso.cache")
            cache.clear_cache(importlib.import_module("jedi.settings").cache_directory)
        return within(PATIENCE, question, *args)


def _own_completion(place: Place, cursor: int, namespace: Namespace) -> Completion | None:
    if place.string >= 0:
        return None
    last = len(place.tokens) - 1
    named = last >= 0 and place.tokens[last].kind == "name" and place.tokens[last].end == cursor
    start = place.tokens[last].start if named else cursor
    prefix = place.code[start:cursor]
    try:
        candidates = _candidates(place, last - named, namespace)
    except THEIRS:  # or nothing is known
        return None
    names = sorted(name for name in candidates if name.startswith(prefix))
    if not prefix:
        names = [name for name in names if not name.startswith("_")]
    types = [candidates[name] for name in names]
    return Completion(matches=names, start=start, end=cursor, types=types)


def _candidates(place: Place, before: int, namespace: Namespace) -> dict[str, str]:
    """Return what can follow a token, and of which kind it is."""
    line = place.code.rpartition("\n")[2]
    if origin := _FROM.fullmatch(line):
        return _members(sys.modules[origin[1]])
    if _text(place, before) == ".":
        if _IMPORT.fullmatch(line):
            return {}
        return _members(known(place.primary(before - 1), namespace))
    if _IMPORT.fullmatch(line):
        return dict.fromkeys(_modules(), "module")
    if _text(place, before) in _NEW:
        return {}
    names = dict.fromkeys(keyword.kwlist, "keyword")
    names.update({name: _kind(value) for name, value in vars(builtins).items()})
    names.update({name: _kind(value) for name, value in list(namespace.items())})
    return names


def _members(value: object) -> dict[str, str]:
    return {
        name: _kind(inspect.getattr_static(value, name, None))
        for name in dir(value)
        if isinstance(name, str)
    }


def _text(place: Place, index: int) -> str:
    return place.code[place.tokens[index].start : place.tokens[index].end] if index >= 0 else ""


def _dot_before(place: Place) -> bool:
    """Whether an attribute is completed."""
    last = len(place.tokens) - 1
    return "." in (_text(place, last), _text(place, last - 1))


def _is_number(place: Place) -> bool:
    last = place.tokens[-1] if place.tokens else None
    return last is not None and last.kind == "number" and last.end == len(place.code)


def _modules() -> set[str]:
    import pkgutil  # only to complete an import

    names = {module.name for module in pkgutil.iter_modules()}
    return names | set(sys.builtin_module_names)


def _kind(value: object) -> str:
    """Name the kind of a value in jedi's words."""
    if isinstance(value, type):
        return "class"
    if inspect.ismodule(value):
        return "module"
    if isinstance(value, property):
        return "property"
    is_function = inspect.isroutine(value) or isinstance(value, (staticmethod, classmethod))
    return "function" if is_function else "instance"
