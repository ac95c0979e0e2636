"""Libraries that look for IPython's shell to know whether they are in a notebook; we have none."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from minikernel.interpreter.base import Option, Value
    from minikernel.interpreter.display import Displayer

COLUMNS = 20  # of a table, as pandas has it in notebooks


class Around(Protocol):
    """What the preparations need of a cell's surroundings."""

    main: ModuleType
    displayer: Displayer
    after_cell: list[Callable[[], object]]


def prepare(module: ModuleType, around: Around) -> None:
    """Tell a module of `PREPARED` that has just been imported where it is."""
    PREPARED[module.__name__](module, around)


def _pandas(pandas: Value, _: Around) -> None:
    """Let texts of tables be wrapped instead of cut to the width of a terminal."""
    if pandas.get_option("display.max_columns") == 0:  # "as many as a terminal has room for"
        pandas.set_option("display.max_columns", COLUMNS)


def _plotly(renderers: Value, around: Around) -> None:
    """Let figures be shown by the client, not in a browser beside the kernel."""
    if renderers.ipython_display is None:  # not installed; of both only these are used
        renderers.ipython_display = around.displayer
    if renderers.nbformat is None:
        renderers.nbformat = SimpleNamespace(__version__="5")
    if not os.environ.get("PLOTLY_RENDERER"):
        renderers.renderers.default = "plotly_mimetype"


def _inline_settings(config: Value, _: Around) -> None:
    """Follow the settings of IPython's backend for figures."""
    from minikernel.interpreter import figures  # it imports matplotlib

    settings = config.InlineBackend.instance()
    chosen = ["figure_formats", "print_figure_kwargs"]
    settings.observe(
        lambda _: figures.choose(*settings.figure_formats, **settings.print_figure_kwargs), chosen
    )
    settings.observe(lambda change: figures.close_after_cell(close=change.new), "close_figures")


def _inline_backend(backend: Value, _: Around) -> None:
    """Take the place of functions that would make a shell, and a `__main__` of its own."""
    from minikernel.interpreter import figures

    settings = backend.InlineBackend.instance()

    def set_matplotlib_formats(*formats: str, **options: Option) -> None:
        """Choose the formats of figures: png, retina, jpeg, svg, pdf."""
        figures.choose(*formats, **{**settings.print_figure_kwargs, **options})

    def set_matplotlib_close(close: bool = True) -> None:  # noqa: FBT001, FBT002 - its signature
        """Choose whether figures are closed at a cell's end."""
        settings.close_figures = close

    backend.set_matplotlib_formats = set_matplotlib_formats
    backend.set_matplotlib_close = set_matplotlib_close


def _shell(_: ModuleType, around: Around) -> None:
    """Put our module back, after a new IPython shell has put its own in the place of ours."""
    around.after_cell.append(lambda: sys.modules.__setitem__("__main__", around.main))


def _numba(caching: Value, _: Around) -> None:
    """Let `cache=True` find a place for functions of cells, which it knows by IPython's names."""
    known = getattr(caching, "IPythonCacheLocator", None) or caching._IPythonCacheLocator  # noqa: SLF001 - numba 0.60

    class CellLocator(known):  # type: ignore[misc, valid-type]
        def get_cache_path(self) -> str:
            folder = caching.AppDirs(appname="numba", appauthor=False).user_cache_dir
            return os.path.join(folder, "cells")  # noqa: PTH118 - a string is asked for

        @classmethod
        def from_function(cls, function: object, file: str) -> Value:
            is_cell = file.startswith(("<cell", "<uncounted cell"))
            return super().from_function(function, f"<ipython-{file}") if is_cell else None

    caching.CacheImpl._locator_classes.append(CellLocator)  # noqa: SLF001 - there is no other way


PREPARED: dict[str, Callable[[Any, Around], None]] = {
    "pandas": _pandas,
    "plotly.io._renderers": _plotly,
    "matplotlib_inline.config": _inline_settings,
    "matplotlib_inline.backend_inline": _inline_backend,
    "IPython.core.interactiveshell": _shell,
    "numba.core.caching": _numba,
}
