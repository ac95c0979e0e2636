"""`help(x)`, `x?` and `x??`."""

from __future__ import annotations

import re

_KEY = r"\[(?:\d+|'[^'\[\]]*'|\"[^\"\[\]]*\")\]"
_NAME = rf"[^\W\d]\w*(?:\.[^\W\d]\w*|{_KEY})*"
_QUESTION = (
    rf"\s*(?:(\?{{1,2}})\s*({_NAME})|({_NAME})\s*(\?{{1,2}}))\s*;?\s*"  # compiled on first use
)


class Help:
    """`help`: prints, as without a terminal; one line instead of a prompt."""

    def __repr__(self) -> str:
        return "help(x) describes x; help('topics') and help('keywords') list more."

    def __call__(self, *args: object, **options: object) -> None:
        """Describe an object, or a topic given as a string."""
        if not args and not options:
            print(self)  # noqa: T201 - the answer
            return
        import pydoc  # 30 ms

        pydoc.help(*args, **options)


def question_in(code: str) -> tuple[str, int] | None:
    """Return the name and the level of detail that a cell such as `name??` asks about."""
    match = re.fullmatch(_QUESTION, code)
    if match is None:
        return None
    before, name, other, after = match.groups()
    return name or other, len(before or after) - 1
