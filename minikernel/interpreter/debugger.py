"""pdb for cells: it stays out of the engine's frames and leaves SIGINT to the kernel."""

from __future__ import annotations

import os
import pdb  # noqa: T100 - a debugger is what this is
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from minikernel.interpreter.base import Option, Value

_ENGINE = (
    *("minikernel.interpreter.*", "minikernel.kernel.*"),
    *("asyncio.*", "selectors", "contextvars"),
)


class Debugger(pdb.Pdb):
    """A Pdb that reads from `input()` and does not stop outside the user's code."""

    def __init__(self, **options: Option) -> None:
        options.setdefault("nosigint", True)  # else `continue` takes SIGINT from the kernel
        super().__init__(skip=_ENGINE, **options)


def set_trace(*, header: str | None = None, **_: object) -> None:
    """Stop here: pdb.set_trace for cells."""
    debugger = Debugger()
    if header is not None:
        debugger.message(header)
    debugger.set_trace(_users_frame())


def breakpoint_hook(*args: object, **options: object) -> Value:
    """Do what `breakpoint()` does, with this debugger if the user names no other."""
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*args, **options)  # noqa: T100 - the user's call
    Debugger().set_trace(_users_frame())
    return None


def _users_frame() -> FrameType:
    """The innermost frame that is not the engine's."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("minikernel.interpreter"):
        frame = frame.f_back
    return frame
