"""From an object to a mime bundle: the `_repr_*_` methods of the Jupyter world."""

from __future__ import annotations

import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.pretty import pretty

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from minikernel.interpreter.base import MimeBundle

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
_CANARY = "_ipython_canary_method_should_not_exist_"  # an object that has this has everything

# What has no rich form: the answer is known without asking for ten methods.
_TEXT_ONLY = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, type(None), range, slice}
    | {list, tuple, dict, set, frozenset, type, type(len), type(pretty), type(sys)}
)


class Formatter:
    """Makes mime bundles. Foreign types can be given a formatter of their own."""

    def __init__(self) -> None:
        self._registered: dict[type, tuple[str, Callable[[Any], Any]]] = {}

    def register(self, kind: type, mimetype: str, function: Callable[[Any], Any]) -> None:
        """Show objects of `kind` and its subclasses also as `mimetype`, made by `function`."""
        self._registered[kind] = (mimetype, function)

    def format(
        self,
        value: Any,  # noqa: ANN401 - anything can be shown
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> tuple[MimeBundle, MimeBundle]:
        """Return data and metadata of `value`.

        An exception in one of the object's methods is printed on sys.stderr and costs that form
        only.
        """
        if type(value) in _TEXT_ONLY and not include and not exclude:
            return {PLAIN: _plain(value)}, {}
        data: MimeBundle = {PLAIN: _plain(value)}
        metadata: MimeBundle = {}
        if not isinstance(value, type) and not _has_everything(value):
            self._add_rich_forms(value, data, metadata, include, exclude)
        keep = [
            kind
            for kind in data
            if (not include or kind in include) and (not exclude or kind not in exclude)
        ]
        return {kind: data[kind] for kind in keep}, {
            kind: meta for kind, meta in metadata.items() if kind in keep or kind not in data
        }

    def _add_rich_forms(
        self,
        value: Any,  # noqa: ANN401
        data: MimeBundle,
        metadata: MimeBundle,
        include: Collection[str] | None,
        exclude: Collection[str] | None,
    ) -> None:
        for kind in type(value).__mro__ if self._registered else ():
            if kind in self._registered:
                mimetype, function = self._registered[kind]
                _add(mimetype, _call(function, value), data, metadata)
        for name, mimetype in _METHODS.items():
            method = _method(value, name)
            if method is not None:
                _add(mimetype, _call(method), data, metadata)
        method = _method(value, "_repr_mimebundle_")
        if method is not None:
            _merge(_call(method, include=include, exclude=exclude), data, metadata)


def shows_itself(value: Any) -> bool:  # noqa: ANN401
    """Let `value` show itself by its `_ipython_display_`; False if it has none."""
    if type(value) in _TEXT_ONLY or isinstance(value, type) or _has_everything(value):
        return False
    method = _method(value, "_ipython_display_")
    if method is None:
        return False
    _call(method)
    return True


def _plain(value: Any) -> str:  # noqa: ANN401
    try:
        return pretty(value)
    except Exception:  # noqa: BLE001 - the object's own __repr__
        report()
        return object.__repr__(value)


def _has_everything(value: Any) -> bool:  # noqa: ANN401
    """Whether `value` answers to every name, as mocks and remote proxies do."""
    return _method(value, _CANARY) is not None


def _method(value: Any, name: str) -> Any:  # noqa: ANN401
    try:
        method = getattr(value, name, None)
    except Exception:  # noqa: BLE001 - the object's own __getattr__
        return None
    return method if callable(method) else None


def _call(function: Callable[..., Any], /, *args: Any, **keywords: Any) -> Any:  # noqa: ANN401
    try:
        return function(*args, **keywords)
    except NotImplementedError:
        return None  # how an object says "not this form", as in IPython
    except Exception:  # noqa: BLE001 - the object's own method
        report()
        return None


def _add(mimetype: str, form: Any, data: MimeBundle, metadata: MimeBundle) -> None:  # noqa: ANN401
    """Add what a `_repr_*_` method returned: data, or (data, metadata)."""
    if isinstance(form, tuple) and len(form) == 2:  # noqa: PLR2004 - data and metadata
        form, about = form
        if about:
            metadata[mimetype] = about
    if form is not None:
        data[mimetype] = _on_the_wire(form)


def _merge(bundle: Any, data: MimeBundle, metadata: MimeBundle) -> None:  # noqa: ANN401
    """Add what `_repr_mimebundle_` returned; it has the last word on each form."""
    if isinstance(bundle, tuple) and len(bundle) == 2:  # noqa: PLR2004
        bundle, about = bundle
        metadata.update(about or {})
    data.update({kind: _on_the_wire(form) for kind, form in (bundle or {}).items()})


def _on_the_wire(form: Any) -> Any:  # noqa: ANN401
    if isinstance(form, (bytes, bytearray, memoryview)):
        return b64encode(form).decode("ascii")
    return form


def report() -> None:
    """Print the exception that is being handled on sys.stderr, without the engine's frames."""
    import traceback  # noqa: PLC0415 - only when something failed

    from minikernel.interpreter.tracebacks import users_frames  # noqa: PLC0415

    kind, error, trace = sys.exc_info()
    if trace is not None:
        traceback.print_exception(kind, error, users_frames(trace))
