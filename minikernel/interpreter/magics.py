"""A word on cells that are IPython's, not Python's."""

from __future__ import annotations

import re

NO_MAGICS = (
    "this kernel has no magics (%) and no shell escapes (!): subprocess.run() runs commands, and"
    " what libraries offer as magics they offer as functions, too"
)
NO_PIP = (
    "this kernel runs no commands: to install packages for it, import subprocess, sys and call"
    " subprocess.run([sys.executable, '-m', 'pip', 'install', 'NAME'])"
)
NOT_ALONE = (
    "a question such as name? is answered if it is alone in its cell; help(name) works anywhere"
)
HELP = """\
name?    or ?name: what an object is, with its signature and documentation
name??   its source as well
help(x)  Python's own page on x

Tab completes names, attributes and keys; Shift-Tab describes what the cursor is at.
display(x) shows x; In, Out, _, __ and ___ are earlier cells and values.
This is plain Python with top-level await: no magics (%) and no shell escapes (!).
"""

_ESCAPE = re.compile(r"\s*(?:[\w.,\[\]'\" ]+=\s*)?[%!]")  # at the start, or after `x =`
_PIP = re.compile(r"\s*(?:[\w, ]+=\s*)?[%!]*(?:pip3?|conda|mamba|uv|python3? -m pip)\s+\w")
_BARE = re.compile(  # what IPython takes without a percent sign
    r"\s*(?:alias|autoreload|bash|cat|cd|config|cp|env|less|load|load_ext|ls|man|matplotlib|mkdir"
    r"|more|mv|prun|pylab|reload_ext|rm|rmdir|run|time|timeit|who|whos)\s+[^\s=(\[,.:+*/<>]"
)
_QUESTION = re.compile(r"\s*\?|.*\?\s*;?\s*$")


def advice(code: str, line: int | None) -> str | None:
    """Return a word on a cell that does not compile, if it is meant for IPython.

    Args:
        code: The cell.
        line: The number of the line that the compiler complains about, if it says so.
    """
    lines = code.split("\n")
    first = next((text for text in lines if text.strip()), "")
    wrong = lines[line - 1] if line and line <= len(lines) else ""
    for text in (first, wrong):
        if _PIP.match(text):
            return NO_PIP
        if text.lstrip().startswith(("%", "!")):
            return NO_MAGICS
    if _ESCAPE.match(wrong) or _BARE.match(wrong):
        return NO_MAGICS
    return NOT_ALONE if _QUESTION.match(wrong) else None
