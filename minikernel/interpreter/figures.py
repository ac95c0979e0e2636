"""A matplotlib backend whose figures appear as pictures where the cell's output is.

matplotlib imports it by its name, `module://minikernel.interpreter.figures`; the engine then
calls `connect`. Without an engine, in a child process say, it only draws.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from minikernel.interpreter.display import Displayer

BACKEND = f"module://{__name__}"

_displayer: Displayer | None = None


class FigureManager(FigureManagerBase):
    """The manager of an inline figure."""

    def show(self) -> None:
        """Show the figure now; it stays open."""
        _show_figure(self.canvas.figure)


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas, drawn only when it is shown."""

    manager_class = FigureManager

    def draw_idle(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - matplotlib's signature
        """Do nothing: there is no window to be kept up to date."""


def connect(displayer: Displayer) -> None:
    """Show figures through `displayer` from now on."""
    global _displayer  # noqa: PLW0603 - matplotlib knows backends as modules
    _displayer = displayer
    displayer.formatter.register(Figure, "image/png", png)
    mpl.interactive(True)


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
    if Gcf.figs and mpl.is_interactive() and mpl.rcParams["backend"] == BACKEND:
        show()


def png(figure: Figure) -> bytes | None:
    """Draw a figure, cropped as IPython's inline backend does; None if it is empty."""
    if not figure.axes and not figure.lines:
        return None
    picture = io.BytesIO()
    figure.savefig(
        picture,
        format="png",
        facecolor=figure.get_facecolor(),
        edgecolor=figure.get_edgecolor(),
        dpi=figure.dpi,
        bbox_inches="tight",
    )
    return picture.getvalue()


def _show_figure(figure: Figure) -> None:
    if _displayer is not None and (figure.axes or figure.lines):
        _displayer.display(figure)
