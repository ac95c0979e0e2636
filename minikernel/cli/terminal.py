"""What a kernel says, on the user's terminal: it may colour its text, and nothing else."""

from __future__ import annotations

import codecs
import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

from minikernel.client.escape import LAYOUT, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

SGR = re.compile(r"(\x1b\[[0-9;:]*m)")  # colours and the like (ECMA-48, section 8.3.117)
BEGUN = re.compile(r"\x1b(\[[0-9;:]{0,64})?\Z")  # a sequence that is not complete
PROGRESS = LAYOUT + "\r\b"  # a progress bar may return to the start of its line
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


def say(text: str, stream: TextIO | None = None) -> None:
    """Print what we have to say, which may name what strangers have named: paths, kernels."""
    print(printable(text, keep=LAYOUT), file=stream, flush=True)


class Sieve:
    """Text that comes in pieces, written to a terminal as `safe` would write it.

    A sequence, or a character, may be cut in two; colours last until they are set again.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(stream.encoding)("backslashreplace")
        self._rest = ""
        self._coloured = False

    def pour(self, data: bytes) -> None:
        """Write a piece; an empty one is the end."""
        text = self._rest + self._decoder.decode(data, final=not data)
        begun = BEGUN.search(text) if data else None
        cut = begun.start() if begun else len(text)
        self._rest = text[cut:]
        shown = "".join(_parts(text[:cut], colours=has_colours(self._stream), keep=PROGRESS))
        if colours := SGR.findall(shown):
            self._coloured = colours[-1] not in {RESET, "\x1b[m"}
        self._stream.write(shown + (RESET if self._coloured and not data else ""))
        self._stream.flush()


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
