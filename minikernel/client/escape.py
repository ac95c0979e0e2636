"""Text of a peer, made fit for a terminal: it may hold escape sequences that act there."""

from __future__ import annotations

import re

ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # control sequences (ECMA-48, section 5.4)
LAYOUT = "\n\t"


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with everything unprintable written as \x1b, \u202e and so on, except `keep`."""
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def plain(text: str) -> str:
    """Several lines of text without colours, else like `printable`."""
    return printable(ANSI.sub("", text), keep=LAYOUT)


def shortened(text: str, length: int) -> str:
    """At most `length` printable characters of the text, on one line."""
    shown = printable(text[: length + 1])
    return shown if len(shown) <= length else shown[: length - 1] + "…"
