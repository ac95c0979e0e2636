"""What a kernel says, on the user's terminal: it may colour its text, and nothing else."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

from minikernel.client.escape import LAYOUT, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

SGR = re.compile(r"(\x1b\[[0-9;:]*m)")  # colours and the like (ECMA-48, section 8.3.117)
RESET = "\x1b[0m"
CLEAR_LINE = "\r\x1b[K"
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}


def safe(text: str, *, colours: bool, keep: str = LAYOUT) -> str:
    r"""Text of a kernel, with everything that acts on a terminal written as \x1b and so on.

    Args:
        text: what the kernel sent.
        colours: whether colour sequences are kept; they end with the text.
        keep: other characters that are kept.
    """
    shown = "".join(_parts(text, colours=colours, keep=keep))
    return shown + RESET if "\x1b" in shown and not shown.endswith(RESET) else shown


def _parts(text: str, *, colours: bool, keep: str) -> Iterator[str]:
    if "\r" not in keep:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for i, part in enumerate(SGR.split(text)):
        if i % 2 == 0:
            yield printable(part, keep=keep)
        elif colours:
            yield part


def has_colours(stream: TextIO) -> bool:
    """Whether to write colours there: to a terminal, unless NO_COLOR is set (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def style(text: str, name: str, stream: TextIO | None = None) -> str:
    """The text in a style, if the stream (standard output if None) takes colours."""
    if not has_colours(sys.stdout if stream is None else stream):
        return text
    return f"\x1b[{STYLES[name]}m{text}{RESET}"


def plain_text(data: object) -> str:
    """What a terminal shows of a mime bundle."""
    text = data.get("text/plain", "") if isinstance(data, dict) else ""
    return str(text)
