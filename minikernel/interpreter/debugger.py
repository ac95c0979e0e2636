"""pdb for cells: it stays out of the engine's frames and leaves SIGINT to the kernel."""

from __future__ import annotations

import os
import pdb  # noqa: T100 - a debugger is what this is
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

_ENGINE = ("minikernel.interpreter.*", "minikernel.kernel.*", "asyncio.*", "contextvars")


class Debugger(pdb.Pdb):
    """A Pdb that reads from `input()` and does not stop outside the user's code."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - pdb's
        options.setdefault("nosigint", True)  # else `continue` takes SIGINT from the kernel
        super().__init__(skip=_ENGINE, **options)


def set_trace(*, header: str | None = None, **_: object) -> None:
    """Stop here: pdb.set_trace for cells."""
    debugger = Debugger()
    if header is not None:
        debugger.message(header)
    debugger.set_trace(_users_frame())


def breakpoint_hook(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - PEP 553
    """Do what `breakpoint()` does, with this debugger if the user names no other."""
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*args, **options)  # noqa: T100 - the user's call
    Debugger().set_trace(_users_frame())
    return None


def _users_frame() -> FrameType:
    """The innermost frame that is not the engine's."""
    frame = sys._getframe(1)  # noqa: SLF001 - as pdb itself does
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("minikernel.interpreter"):
        frame = frame.f_back
    return frame


def stop_tracing() -> None:
    """End a trace that was still stepping when its cell ended."""
    owner = getattr(sys.gettrace(), "__self__", None)
    if isinstance(owner, pdb.Pdb):
        sys.settrace(None)
