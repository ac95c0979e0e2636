"""A call when a module gets imported for the first time, without importing it now."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def after_import(
    name: str, callback: Callable[[ModuleType], object], *, again: bool = False
) -> Callable[[], None]:
    """Call `callback` with module `name`, at once or right after its first successful import.

    What it raises is printed on sys.stderr; the import succeeds.

    Args:
        name: of the module.
        callback: takes the module.
        again: also after every later import, importlib.reload say.

    Returns:
        A function that takes the request back.
    """
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", 0):
        callback(module)
        if not again:
            return lambda: None
    finder = _Finder(name, callback, again=again)
    sys.meta_path.insert(0, finder)
    return finder.remove


class _Finder:
    """Finds one module, with the help of all others, and looks on while it is executed.

    The loader stays what it is: only its `exec_module` is covered, on this one instance, until it
    has been called. So find_spec, reload and importlib.resources see nothing unusual.
    """

    def __init__(self, name: str, callback: Callable[[ModuleType], object], *, again: bool) -> None:
        self._again = again
        self._name = name
        self._callback = callback
        self._is_looking = False

    def remove(self) -> None:
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name or self._is_looking:
            return None
        self._is_looking = True
        try:
            spec = _find_elsewhere(fullname, path, target)
        finally:
            self._is_looking = False
        if spec is not None and spec.loader is not None:
            self._cover(spec.loader)
        return spec

    def _cover(self, loader: object) -> None:
        original = loader.exec_module  # type: ignore[attr-defined]

        def exec_module(module: ModuleType) -> None:
            with suppress(AttributeError):
                del loader.exec_module  # type: ignore[attr-defined]
            original(module)
            if self in sys.meta_path:
                if not self._again:
                    self.remove()
                self._call_back(module)

        with suppress(AttributeError, TypeError):  # a loader that takes no attributes
            loader.exec_module = exec_module  # type: ignore[attr-defined]

    def _call_back(self, module: ModuleType) -> None:
        try:
            self._callback(module)
        except Exception:  # noqa: BLE001 - another module of that name, or one of another version
            from minikernel.interpreter.formatting import report  # noqa: PLC0415 - if it failed

            report()


def _find_elsewhere(
    name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path, target) if find else None
        if spec is not None:
            return spec
    return None
