"""What a cell finds around itself: `__main__`, builtins, sys, modules that know of us."""

from __future__ import annotations

import builtins
import os
import sys
import types
from typing import TYPE_CHECKING

from minikernel.interpreter.base import THEIRS
from minikernel.interpreter.formatting import report
from minikernel.interpreter.imports import after_import
from minikernel.interpreter.leaving import Quitter
from minikernel.interpreter.paging import Help
from minikernel.interpreter.stdin import Stdin, getpass_over, input_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import Frontend, Option, Value
    from minikernel.interpreter.display import Displayer

FIGURES = "minikernel.interpreter.figures"
IPYTHON = ("IPython.core.display_functions", "IPython.display")
LIBRARIES = (  # those of libraries.PREPARED
    "pandas",
    "plotly.io._renderers",
    "matplotlib_inline.config",
    "matplotlib_inline.backend_inline",
    "IPython.core.interactiveshell",
    "numba.core.caching",
)
_UNSET = ("", "inline", "module://matplotlib_inline.backend_inline")
_ABSENT = object()


class Surroundings:
    """Replaces what reads from, shows on or ends a terminal, until `restore`.

    Args:
        frontend: Where questions go.
        displayer: The display functions.
    """

    def __init__(self, frontend: Frontend, displayer: Displayer) -> None:
        self.main = types.ModuleType("__main__")
        self.main.__dict__["__builtins__"] = builtins
        self.after_cell: list[Callable[[], object]] = []
        self.displayer = displayer
        self._builtins = dict(vars(builtins))
        self._undo: list[Callable[[], object]] = []
        self._replace_main()
        self._working_directory_first()
        self._replace_builtins(frontend)
        self._replace_sys(frontend)
        self._prepare_imports(frontend)

    def restore_builtins(self) -> None:
        """Put back Python's own: a cell's functions that took their place lose their names."""
        vars(builtins).update(self._builtins)

    def restore(self) -> None:
        """Undo everything, last first."""
        while self._undo:
            self._undo.pop()()

    def _replace_main(self) -> None:
        before = sys.modules["__main__"]
        sys.modules["__main__"] = self.main
        self._undo.append(lambda: sys.modules.__setitem__("__main__", before))

    def _working_directory_first(self) -> None:
        if "" not in sys.path[:1]:
            sys.path.insert(0, "")
            self._undo.append(lambda: sys.path.remove("") if "" in sys.path else None)

    def _replace_builtins(self, frontend: Frontend) -> None:
        for name in ("display", "update_display", "clear_output"):
            self._replace(builtins, name, getattr(self.displayer, name))
        self._replace(builtins, "input", input_over(frontend))
        self._replace(builtins, "help", Help())
        self._replace(builtins, "exit", Quitter("exit"))
        self._replace(builtins, "quit", Quitter("quit"))

    def _replace_sys(self, frontend: Frontend) -> None:
        self._replace(sys, "stdin", Stdin(frontend))
        self._replace(sys, "argv", [""])
        self._replace(sys, "displayhook", displayhook)
        self._replace(sys, "breakpointhook", _break)

    def _prepare_imports(self, frontend: Frontend) -> None:
        """Prepare for modules that may be imported, without importing them."""
        self._ever("getpass", lambda it: self._replace(it, "getpass", getpass_over(frontend)))
        self._ever("pdb", self._prepare_pdb)
        self._later(IPYTHON[0], self._adopt_ipython)
        self._later("matplotlib", _choose_backend)
        self._later(FIGURES, self._connect_figures)
        for name in LIBRARIES:
            self._later(name, self._prepare_library)

    def _later(self, name: str, callback: Callable[[types.ModuleType], object]) -> None:
        self._undo.append(after_import(name, callback))

    def _ever(self, name: str, callback: Callable[[types.ModuleType], object]) -> None:
        self._undo.append(after_import(name, callback, again=True))

    def _adopt_ipython(self, _: types.ModuleType) -> None:
        """Let IPython's display functions show through ours.

        They print plain text as long as no InteractiveShell exists, and none does here.
        """
        for module in filter(None, map(sys.modules.get, IPYTHON)):
            for name in ("display", "update_display", "clear_output", "publish_display_data"):
                if name in vars(module):
                    self._replace(module, name, getattr(self.displayer, name))

    def _prepare_pdb(self, pdb: types.ModuleType) -> None:
        self._replace(pdb, "set_trace", _set_trace)
        if _stop_tracing not in self.after_cell:
            self.after_cell.append(_stop_tracing)

    def _prepare_library(self, library: types.ModuleType) -> None:
        from minikernel.interpreter.libraries import prepare  # few are imported

        prepare(library, self)

    def _connect_figures(self, figures: types.ModuleType) -> None:
        figures.connect(self.displayer)
        self._undo.append(figures.disconnect)
        self.after_cell.append(lambda: _reported(figures.flush))

    def _replace(self, owner: object, name: str, value: object) -> None:
        before = getattr(owner, name, _ABSENT)
        setattr(owner, name, value)
        if before is _ABSENT:
            self._undo.append(lambda: vars(owner).pop(name, None))
        else:
            self._undo.append(lambda: setattr(owner, name, before))


def displayhook(value: object) -> None:
    """Print the repr of a value: what sys.displayhook does when a cell calls it."""
    if value is not None:
        print(repr(value))  # noqa: T201 - its purpose


# What these need they import when they are called: a module's import may bring them about that is
# not complete when it comes back here.


def _set_trace(**options: Option) -> None:
    from minikernel.interpreter.debugger import set_trace  # pdb on first use

    set_trace(**options)


def _stop_tracing() -> None:
    """End a trace of pdb's that was still stepping when its cell ended."""
    owner = getattr(sys.gettrace(), "__self__", None)
    if owner is not None and isinstance(owner, getattr(sys.modules.get("pdb"), "Pdb", ())):
        sys.settrace(None)


def _break(*args: object, **options: object) -> Value:
    from minikernel.interpreter.debugger import breakpoint_hook  # pdb on first use

    return breakpoint_hook(*args, **options)


def _choose_backend(matplotlib: types.ModuleType) -> None:
    """Make figures inline unless MPLBACKEND says otherwise; children inherit nothing of it.

    A kernel that is started from a notebook inherits IPython's inline backend, which shows nothing
    without IPython: that counts as unset.
    """
    if os.environ.get("MPLBACKEND", "") in _UNSET:
        matplotlib.rcParams["backend"] = f"module://{FIGURES}"


def _reported(function: Callable[[], object]) -> None:
    try:
        function()
    except THEIRS:
        report()
