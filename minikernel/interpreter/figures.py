"""A matplotlib backend whose figures appear as pictures where the cell's output is.

matplotlib imports it by its name, `module://minikernel.interpreter.figures`; the engine then
calls `connect`. Without an engine, in a child process say, it only draws.
"""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from minikernel.interpreter.base import Option, Value
    from minikernel.interpreter.display import Displayer

BACKEND = f"module://{__name__}"

INLINE = (BACKEND, "inline", "module://matplotlib_inline.backend_inline")
FORMATS = {  # of IPython's set_matplotlib_formats
    "png": "image/png",
    "png2x": "image/png",
    "retina": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
_TWICE = ("png2x", "retina")  # the pixels, and half the size

_displayer: Displayer | None = None
_closes = True  # figures, at a cell's end


class FigureManager(FigureManagerBase):
    """The manager of an inline figure."""

    def show(self) -> None:
        """Show the figure now; it stays open."""
        _show_figure(self.canvas.figure)


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas, drawn only when it is shown."""

    manager_class = FigureManager

    def draw_idle(self, *_: object, **__: object) -> None:
        """Do nothing: there is no window to be kept up to date."""


def connect(displayer: Displayer) -> None:
    """Show figures through `displayer` from now on."""
    global _displayer  # noqa: PLW0603 - matplotlib knows backends as modules
    _displayer = displayer
    choose("png")
    mpl.interactive(True)


def choose(*formats: str, **options: Option) -> None:
    """Choose the formats in which figures are shown.

    Args:
        *formats: Of `FORMATS`.
        **options: For `savefig`.

    Raises:
        ValueError: a format is not known.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"supported formats are {', '.join(FORMATS)}, not {unknown[0]!r}")
    if _displayer is None:
        return
    _displayer.formatter.forget(Figure)
    for name in formats:
        _displayer.formatter.register(Figure, FORMATS[name], partial(picture, name=name, **options))


def close_after_cell(*, close: bool) -> None:
    """Choose whether figures are closed at a cell's end, or stay to be drawn on."""
    global _closes  # noqa: PLW0603 - as _displayer
    _closes = close


def disconnect() -> None:
    """Show nothing any more."""
    global _displayer  # noqa: PLW0603 - as above
    _displayer = None


def show(*, block: bool | None = None) -> None:
    """Show all open figures and close them: `plt.show()`."""
    del block
    from matplotlib import pyplot as plt  # noqa: PLC0415 - it imports this module

    managers = Gcf.get_all_fig_managers()
    try:
        for manager in managers:
            _show_figure(manager.canvas.figure)
    finally:
        if managers:
            plt.close("all")


def flush() -> None:
    """Show what a cell has drawn, unless the user switched that off by `plt.ioff()`."""
    if not Gcf.figs or not mpl.is_interactive() or mpl.rcParams["backend"] not in INLINE:
        return
    if _closes:
        show()
        return
    for manager in Gcf.get_all_fig_managers():
        if manager.canvas.figure.stale:
            _show_figure(manager.canvas.figure)
            manager.canvas.figure.stale = False


def picture(figure: Figure, *, name: str, **options: Option) -> Value:
    """Draw a figure in a format, cropped as IPython's inline backend does; None if it is empty."""
    if not figure.axes and not figure.lines:
        return None
    kind = FORMATS[name].partition("/")[2].partition("+")[0]
    usual = {
        "facecolor": figure.get_facecolor(),
        "edgecolor": figure.get_edgecolor(),
        "dpi": figure.dpi * (2 if name in _TWICE else 1),
        "bbox_inches": "tight",
    }
    drawn = io.BytesIO()
    figure.savefig(drawn, format=kind, **{**usual, **options})
    data = drawn.getvalue()
    if name in _TWICE:
        width, height = struct.unpack(">II", data[16:24])  # of PNG's first chunk
        return data, {"width": width // 2, "height": height // 2}
    return data.decode() if kind == "svg" else data


def _show_figure(figure: Figure) -> None:
    if _displayer is not None and (figure.axes or figure.lines):
        _displayer.display(figure)
