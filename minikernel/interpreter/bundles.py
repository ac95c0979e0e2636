"""What a mime bundle may hold: text, base64 of bytes, and JSON for the JSON types.

Objects return whatever they like. What a notebook could not hold is left out, with a line on
sys.stderr.
"""

from __future__ import annotations

import json
import numbers
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.base import THEIRS

if TYPE_CHECKING:
    from minikernel.interpreter.base import Value

# Patterns are compiled when they are first used: a start has no need of them.
_JSON = r"application/(.*\+)?json"  # nbformat's schema, "mimebundle"
_TEXT = r"text/.*|.*\+xml|application/javascript"
_BYTES = (bytes, bytearray, memoryview)


def base64(data: bytes | bytearray | memoryview) -> str:
    """Return the text by which bytes are sent."""
    return b64encode(data).decode("ascii")


_PLAINER: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (_BYTES, base64),
    (numbers.Integral, int),
    (numbers.Number, float),
    (Mapping, dict),
)


def sendable(forms: object, of: object) -> dict[str, Any]:
    """Return the forms of an object that can be sent; None means "not this form".

    Args:
        forms: Mimetypes and data.
        of: The object, named in what is said about the rest.
    """
    kept = {}
    for mimetype, form in mapping(forms, "data", of).items():
        if form is not None:
            try:
                kept[mimetype] = _sendable(mimetype, form)
            except THEIRS as problem:
                _say(of, mimetype, problem)
    return kept


def sendable_metadata(metadata: object, of: object) -> dict[str, Any]:
    """Return the metadata that can be sent, by mimetype or name."""
    kept = {}
    for name, about in mapping(metadata, "metadata", of).items():
        try:
            kept[name] = as_json(about)
        except THEIRS as problem:
            _say(of, f"metadata of {name}", problem)
    return kept


def as_json(value: object) -> Value:
    """Return `value` as JSON can hold it: of plain dicts, lists, texts and numbers.

    Raises:
        TypeError, ValueError, RecursionError: it has no such form.
    """
    text = json.dumps(value, default=_plainer, ensure_ascii=False)
    return json.loads(exact(text), parse_constant=lambda _: None)  # NaN and infinities


def mapping(forms: object, what: str, of: object) -> dict[str, Any]:
    """Return what an object gave as `what` as a dict with texts as keys; None is an empty one."""
    if forms is None:
        return {}
    kept: dict[str, Any] = {}
    try:
        if not isinstance(forms, Mapping):
            raise TypeError(f"{_kind(forms)} instead of a dict")
        for key, form in forms.items():
            if isinstance(key, str):
                kept[exact(key)] = form
            else:
                _say(of, what, f"a key that is {_kind(key)} instead of str")
    except THEIRS as problem:
        _say(of, what, problem)
    return kept


def _sendable(mimetype: str, form: object) -> Value:
    if re.fullmatch(_JSON, mimetype):
        return as_json(form)
    if isinstance(form, (list, tuple)) and all(isinstance(line, str) for line in form):
        form = "".join(form)  # as notebooks store it
    if isinstance(form, str):
        return exact(form)
    if isinstance(form, _BYTES) and not re.fullmatch(_TEXT, mimetype):
        return base64(form)
    raise TypeError(f"{_kind(form)} instead of str")


def exact(text: str) -> str:
    """Return a plain str that UTF-8 can hold: no subclass, no lone surrogates."""
    text = str.__str__(text)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _plainer(value: object) -> Value:
    """Take what json does not know one step nearer to what it does."""
    for kinds, convert in _PLAINER:
        if isinstance(value, kinds):
            return convert(value)
    for name in ("isoformat", "tolist"):  # a datetime's; numpy's and pandas'
        if hasattr(type(value), name):
            return getattr(value, name)()
    if isinstance(value, Iterable):  # as in jupyter_client: a generator is used up
        return list(value)
    raise TypeError(f"JSON has no form for {_kind(value)}")


def _kind(value: object) -> str:
    return type(value).__name__


def _say(of: object, what: str, problem: object) -> None:
    reason = ""
    with suppress(Exception):  # the user's __str__
        reason = str(problem)
    sys.stderr.write(f"{_kind(of)}: {what} left out: {reason or _kind(problem)}\n")
