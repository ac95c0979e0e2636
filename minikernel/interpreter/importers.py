"""Whose import it is: the kernel's own never finds a user's file.

A cell's `import logging` finds a logging.py beside the notebook, as with python. The kernel and
its libraries import much only when it is needed; if these imports saw the working directory too,
opening a notebook would run files of its directory, and a file with the name of a module would end
the kernel. The importer is read off the stack, so it holds in any thread and task, and whatever a
cell did to sys.path or to the working directory.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType

_PACKAGE = __file__.rpartition("interpreter")[0]  # with its slash
_CELLS = ("<cell ", "<uncounted cell ")
_HOOKS = f"{_PACKAGE}interpreter{os.sep}imports.py"


class Importers:
    """Tells our imports from the user's, by the stack.

    Args:
        path: sys.path before the user's directory was put on it.
        borders: functions of the kernel in which the user's code, or a library's for it, may run
            without a frame of the kernel's between: what is further out does not count.
    """

    def __init__(self, path: Sequence[str], borders: Sequence[Callable[..., object]]) -> None:
        self.path = _own(path)
        self._libraries = ("<", *(entry.rstrip(os.sep) + os.sep for entry in self.path))
        self._borders = {border.__code__ for border in borders}

    def asker(self, frame: FrameType | None) -> tuple[bool, bool]:
        """Whether the kernel imports, and whether the user's code had it do so."""
        ours = False
        while frame is not None and frame.f_code not in self._borders:
            name = frame.f_code.co_filename
            if name.startswith(_PACKAGE):
                ours = ours or name != _HOOKS
            elif not name.startswith(self._libraries) or _is_users(frame, name):
                return ours, True
            frame = frame.f_back
        return ours, False


def guard(importers: Importers) -> Callable[[], None]:
    """Make Python's own finder look for modules where the asker may find them.

    Returns:
        A function that takes it back.
    """
    finder = sys.modules["importlib._bootstrap_external"].PathFinder
    find = finder.find_spec

    def find_spec(
        _: type, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        ours, users = (False, False) if path is not None else importers.asker(sys._getframe(1))
        if ours:
            spec: ModuleSpec | None = find(fullname, importers.path, target)
            if spec is not None or not users:
                return spec
        return find(fullname, path, target)  # type: ignore[no-any-return] # as `find`, above

    before = vars(finder)["find_spec"]
    finder.find_spec = classmethod(find_spec)
    return lambda: setattr(finder, "find_spec", before)


def _own(path: Sequence[str]) -> list[str]:
    """A path without the working directory, whatever put it there: `PYTHONPATH=.`, say.

    The directories of the standard library and of this package are kept: they are run anyway.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 - as below
    except OSError:  # it has been removed
        here = ""
    homes = {os.path.dirname(os.__file__), os.path.dirname(_PACKAGE.rstrip(os.sep))}  # noqa: PTH120 - compared with strings
    return [entry for entry in path if os.path.isabs(entry) and (entry != here or entry in homes)]  # noqa: PTH117 - as above


def _is_users(frame: FrameType, name: str) -> bool:
    """Whether code without a file is a cell's; a cell may name its module anything."""
    return frame.f_globals.get("__name__") == "__main__" or name.startswith(_CELLS)
