"""The plain text of a value: repr, with long containers over several lines."""

from __future__ import annotations

from itertools import islice
from typing import Any

WIDTH = 79  # columns
LONGEST = 1000  # items of a container that are shown
DEEPEST = 50  # levels of nesting that are laid out

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}


def pretty(value: Any) -> str:  # noqa: ANN401 - anything can be shown
    """Return the text of `value`; raises what its __repr__ raises."""
    if type(value) not in _BRACKETS:
        return repr(value)
    return _laid_out(value, 0, ())


def _laid_out(value: Any, indent: int, outer: tuple[int, ...]) -> str:  # noqa: ANN401
    kind = type(value)
    if kind not in _BRACKETS or not value or len(outer) > DEEPEST:
        return repr(value)
    opening, closing = _BRACKETS[kind]
    if id(value) in outer:
        return f"{opening}...{closing}"
    inner = indent + len(opening)
    items = _items(value, inner, (*outer, id(value)))
    if len(value) > LONGEST:
        items.append("...")
    line = ", ".join(items)
    if indent + len(opening) + len(line) + len(closing) > WIDTH or "\n" in line:
        line = (",\n" + " " * inner).join(items)
    if kind is tuple and len(value) == 1:
        line += ","
    return f"{opening}{line}{closing}"


def _items(value: Any, indent: int, outer: tuple[int, ...]) -> list[str]:  # noqa: ANN401
    if type(value) is dict:
        return [_pair(*pair, indent, outer) for pair in islice(value.items(), LONGEST)]
    shown = list(islice(_in_order(value), LONGEST))
    return [_laid_out(item, indent, outer) for item in shown]


def _pair(key: Any, value: Any, indent: int, outer: tuple[int, ...]) -> str:  # noqa: ANN401
    label = repr(key)
    return f"{label}: {_laid_out(value, indent + len(label) + 2, outer)}"


def _in_order(value: Any) -> Any:  # noqa: ANN401
    """Sort a set if it can be sorted, as IPython does."""
    if type(value) not in (set, frozenset) or len(value) > LONGEST:
        return value
    try:
        return sorted(value)
    except Exception:  # noqa: BLE001 - the items' own comparison
        return value
