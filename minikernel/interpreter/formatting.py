"""The mime bundle of an object: the `_repr_*_` methods of the Jupyter world."""

from __future__ import annotations

import json
import sys
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.base import THEIRS
from minikernel.interpreter.bundles import exact, mapping, sendable, sendable_metadata
from minikernel.interpreter.pretty import pretty

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from minikernel.interpreter.base import MimeBundle, Value

PLAIN = "text/plain"

# IPython.core.formatters, "display_formatter.formatters"
_METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_pdf_": "application/pdf",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
}
_JSON = "application/json"
PAIR = 2  # data and metadata
_CANARY = "_ipython_canary_method_should_not_exist_"  # an object that has this has everything

# What has no rich form: the answer is known without asking for ten methods.
_TEXT_ONLY = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, type(None), range, slice}
    | {list, tuple, dict, set, frozenset, type(len), type(pretty), type(sys)}
)


class Formatter:
    """Makes mime bundles. Foreign types can be given formatters of their own."""

    def __init__(self) -> None:
        self._registered: dict[type, dict[str, Callable[[Any], Any]]] = {}

    def register(self, kind: type, mimetype: str, function: Callable[[Any], Any]) -> None:
        """Show objects of `kind` and its subclasses also as `mimetype`, made by `function`."""
        self._registered.setdefault(kind, {})[mimetype] = function

    def forget(self, kind: type) -> None:
        """Take back what was registered for `kind`."""
        self._registered.pop(kind, None)

    def format(
        self,
        value: object,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> tuple[MimeBundle, MimeBundle]:
        """Return data and metadata of `value`, all of it fit to be sent.

        An exception in one of the object's methods is printed on sys.stderr and costs that form
        only.
        """
        if type(value) in _TEXT_ONLY and not include and not exclude:
            return {PLAIN: _plain(value)}, {}

        def wanted(mimetype: object) -> bool:
            return (not include or mimetype in include) and mimetype not in (exclude or ())

        forms, metadata = _bundle(value, include=include, exclude=exclude)
        forms = {mimetype: form for mimetype, form in forms.items() if wanted(mimetype)}
        for mimetype, make in self._makers(value):
            if wanted(mimetype) and mimetype not in forms:
                forms[mimetype], about = _pair(_call(make))
                if about is not None:
                    metadata[mimetype] = about
        if wanted(PLAIN) and forms.get(PLAIN) is None:
            forms = {**forms, PLAIN: _plain(value)}
        data = sendable(forms, value)
        metadata = {name: about for name, about in metadata.items() if name in data or wanted(name)}
        return data, sendable_metadata(metadata, value)

    def _makers(self, value: object) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Yield what makes a single form: registered functions, then the object's methods."""
        for kind in type(value).__mro__ if self._registered else ():
            for mimetype, function in self._registered.get(kind, {}).items():
                yield mimetype, partial(function, value)
        for name, mimetype in _METHODS.items():
            method = method_of(value, name)
            if method is not None:
                yield mimetype, partial(_parsed, method) if mimetype == _JSON else method


def shows_itself(value: object) -> bool:
    """Let `value` show itself by its `_ipython_display_`; False if it has none, or it failed."""
    method = None if type(value) in _TEXT_ONLY else method_of(value, "_ipython_display_")
    if method is None:
        return False
    try:
        method()
    except NotImplementedError:
        return False  # how an object says "not in this way", as in IPython
    except THEIRS:
        report()
        return False
    return True


def _bundle(value: object, **wanted: Collection[str] | None) -> tuple[MimeBundle, MimeBundle]:
    """Ask for the `_repr_mimebundle_`, which goes before single forms, as in IPython."""
    make = method_of(value, "_repr_mimebundle_")
    if make is None:
        return {}, {}
    forms, metadata = _pair(_call(make, **wanted))
    return mapping(forms, "data", value), mapping(metadata, "metadata", value)


def _plain(value: object) -> str:
    try:
        return exact(pretty(value))
    except THEIRS:
        report()
        return object.__repr__(value)


def method_of(value: object, name: str) -> Value:
    """Return a method, unless `value` answers to every name, as mocks and remote proxies do.

    A class has those of its metaclass and its classmethods, not its instances'.
    """
    try:
        if getattr(value, _CANARY, None) is not None:
            return None
        method = getattr(value, name, None)
    except THEIRS:
        return None
    if issubclass(type(value), type) and type(method) is not MethodType:
        return None
    return method if callable(method) else None


def _call(function: Callable[..., Any], /, *args: object, **keywords: object) -> Value:
    try:
        return function(*args, **keywords)
    except NotImplementedError:
        return None  # how an object says "not this form", as in IPython
    except THEIRS:
        report()
        return None


def _pair(form: object) -> tuple[Any, Any]:
    """Split what a method returned: data, or (data, metadata)."""
    return form if isinstance(form, tuple) and len(form) == PAIR else (form, None)


def _parsed(method: Callable[[], Any]) -> Value:
    """Call a `_repr_json_`; text that it returns is taken for JSON, as in IPython."""
    form, about = _pair(method())
    return (json.loads(form) if isinstance(form, str) else form), about


def report() -> None:
    """Print the exception that is being handled on sys.stderr, without the engine's frames."""
    import traceback  # noqa: PLC0415 - only when something failed

    from minikernel.interpreter.tracebacks import users_frames

    kind, error, trace = sys.exc_info()
    if trace is not None:
        traceback.print_exception(kind, error, users_frames(trace))
