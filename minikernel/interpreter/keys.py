"""Completion of keys: `d['<Tab>`, `df["pri<Tab>`, `d['a']['<Tab>`, `df[['a', '<Tab>`."""

from __future__ import annotations

import ast
import math
import numbers
import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.interpreter.evaluation import known
from minikernel.interpreter.formatting import method_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel.interpreter.base import Value
    from minikernel.interpreter.evaluation import Namespace
    from minikernel.interpreter.places import Place

MOST = 100_000  # keys that are looked at
LONGEST = 1000  # that are offered
_PLAIN = {"builtins", "collections", "os", "types"}  # whose mappings are in memory
_BARE = re.compile(r"-?(?:\d[\w.]*)?")  # what is typed of a key without quotes
_QUOTED = re.compile(r"(?P<letters>[a-zA-Z]*)(?P<quote>'''|\"\"\"|'|\")(?P<typed>.*)", re.DOTALL)


class Subscript(NamedTuple):
    """The brackets of a subscript that the cursor is in."""

    owner: str  # the expression before them
    nested: str  # the bracket within: "[" of a list of keys, "(" of a tuple; or ""
    position: int  # number of complete items before, `d['a', 'b', <cursor>`
    before: tuple[Any, ...] | None  # these items; None if they are not literals
    start: int  # of the key that the cursor is in


def subscript_at(place: Place) -> Subscript | None:
    """Return the subscript that the cursor is in, directly or in a list or tuple of keys."""
    if not place.opened:
        return None
    inner = outer = place.opened[-1]
    last = len(place.tokens) - 1
    nested = ""
    if not place.is_subscript(inner):
        outer, nested = place.opened[-2] if len(place.opened) > 1 else inner, inner.bracket
        if nested not in "[(" or not place.is_subscript(outer):
            return None
        if nested == "[":  # what counts is where in the subscript the list is
            last = inner.token - 1
        elif inner.token != outer.token + 1:
            return None
    bracket = inner if nested == "(" else outer
    commas = list(_commas(place, bracket.token, last))
    begin = place.tokens[bracket.token].end
    start = next(_commas(place, inner.token, len(place.tokens) - 1), place.tokens[inner.token].end)
    return Subscript(
        owner=place.primary(outer.token - 1),
        nested=nested,
        position=len(commas),
        before=_literals(place.code[begin : commas[0]]) if commas else (),
        start=start + len(place.code[start:]) - len(place.code[start:].lstrip()),
    )


def matches(place: Place, rest: str, namespace: Namespace) -> tuple[list[str], int] | None:
    """Return the keys that fit, as code, and where that code begins.

    Args:
        place: What precedes the cursor.
        rest: What follows it: a quote that is there already is not written again.
        namespace: Where names are looked up.

    Returns:
        None if the cursor is not at a key, or nothing is known of the object.
    """
    at = subscript_at(place)
    if at is None or place.string not in (-1, at.start):
        return None
    typed = place.code[at.start :]
    if place.string < 0 and not _BARE.fullmatch(typed):
        return None
    try:
        value = known(at.owner, namespace)
    except LookupError:
        return None
    spelled: dict[str, None] = {}
    with suppress(Exception):  # the object's and its keys' own methods
        fitting = _fitting(value, at, in_text=place.string >= 0)
        spelled = dict.fromkeys(filter(None, (_spelled(key, typed, rest) for key in fitting)))
    return list(islice(spelled, LONGEST)), at.start


def _fitting(value: Value, at: Subscript, *, in_text: bool) -> Iterator[Any]:
    """Yield keys, or the items of keys that are tuples, that may be where the cursor is."""
    if at.position and _is_indexer(value):  # of rows and columns, these being known
        value = value.obj
        at = at._replace(position=at.position - 1, before=(at.before or ())[1:])
    for key in islice(_keys(value), MOST):
        if not isinstance(key, tuple):
            if not at.position:
                yield key
        elif at.nested != "[" and (at.position or at.nested or in_text):
            if len(key) > at.position and key[: at.position] == at.before:
                yield key[at.position]
        elif not at.position:
            yield key


def _keys(value: Value) -> Value:
    """Return the keys of an object that says which it has, or keeps them in memory."""
    ask = method_of(value, "_ipython_key_completions_")
    if ask is not None:
        return ask() or ()
    for base in type(value).__mro__:
        package = str(base.__module__).partition(".")[0]
        if package == "pandas":
            return _pandas_keys(value)
        if package == "numpy":
            return value.dtype.names or () if hasattr(value, "dtype") else value.keys()
        if base.__module__ in _PLAIN and "__getitem__" in vars(base) and hasattr(base, "keys"):
            return base.keys(value)  # not a subclass's own
    return ()


def _pandas_keys(value: Value) -> Value:
    if not hasattr(value, "obj"):
        return value.keys()  # columns, or a Series' index
    if _is_indexer(value):
        return value.obj.index if value.name in {"loc", "at"} else ()
    return value.obj.keys()  # of groups, say


def _is_indexer(value: object) -> bool:
    """Whether this is `.loc`, `.at` or a sibling of pandas'."""
    kind = type(value)
    return kind.__module__ == "pandas.core.indexing"


def _spelled(key: object, typed: str, rest: str) -> str:
    """Write a key as code that goes on from what is typed; "" if it does not."""
    quoted = _QUOTED.fullmatch(typed)
    if quoted is None:
        text = _literal(key)
        return text if text.startswith(typed) else ""
    letters, quote = quoted["letters"], quoted["quote"]
    body = _body(key, quote[0], letters.lower())
    if body is None or not body.startswith(quoted["typed"]):
        return ""
    return letters + quote + body + ("" if rest.startswith(quote) else quote)


def _body(key: object, quote: str, letters: str) -> str | None:
    """Return what is between the quotes; None if such quotes can't hold the key."""
    if not isinstance(key, bytes if "b" in letters else str) or "f" in letters or "t" in letters:
        return None
    plain = key.decode("latin-1") if isinstance(key, bytes) else str.__str__(key)
    escape = _byte if "b" in letters else _character
    body = "".join(escape(character, quote) for character in plain)
    return body if "r" not in letters or body == plain else None


def _character(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return "\\" + character
    return character if character.isprintable() else repr(character)[1:-1]


def _byte(character: str, quote: str) -> str:
    if character.isascii():
        return _character(character, quote)
    return f"\\x{ord(character):02x}"


def _literal(key: object) -> str:
    """Write a key of Python's plain types as code; "" for others."""
    if isinstance(key, tuple):
        items = [_literal(item) for item in key]
        return f"({', '.join(items)}{',' * (len(items) == 1)})" if all(items) else ""
    if isinstance(key, str):
        return repr(str.__str__(key))
    if key is None or isinstance(key, (bool, bytes)):
        return repr(key)
    if isinstance(key, numbers.Integral):
        return repr(int(key))
    return repr(float(key)) if isinstance(key, float) and math.isfinite(key) else ""


def _commas(place: Place, opening: int, last: int) -> Iterator[int]:
    """Yield where items end between two tokens, the last one first."""
    while last > opening:
        token = place.tokens[last]
        if place.code[token.start : token.end] == ",":
            yield token.end
        last = token.first - 1


def _literals(code: str) -> tuple[Any, ...] | None:
    try:
        return tuple(ast.literal_eval(f"({code})"))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None
