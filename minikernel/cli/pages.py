"""Long texts, one screen after the other."""

from __future__ import annotations

import shutil
import sys


def page(text: str) -> None:
    """Print a text, which is printable, by the user's pager if it is longer than the screen."""
    if not sys.stdout.isatty() or text.count("\n") < shutil.get_terminal_size().lines - 1:
        print(text.rstrip("\n"))
        return
    import pydoc  # 30 ms

    pydoc.pager(text)
