"""Pages: `help(x)`, `x?` and `x??`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.formatting import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import MimeBundle

_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_QUESTION = re.compile(rf"\s*(?:(\?{{1,2}})\s*({_NAME})|({_NAME})\s*(\?{{1,2}}))\s*;?\s*")


class Help:
    """`help`: pages for objects, one line instead of a prompt."""

    def __repr__(self) -> str:
        return "help(x) describes x; help('topics') and help('keywords') list more."

    def __call__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - pydoc's signature
        """Describe an object, or a topic given as a string."""
        if not args and not options:
            print(self)  # noqa: T201 - the answer
            return
        import pydoc  # noqa: PLC0415 - 30 ms

        pydoc.help(*args, **options)


def pager(show: Callable[[MimeBundle], object]) -> Callable[..., None]:
    """Return a replacement of pydoc.pager."""

    def page(text: str, title: str = "") -> None:
        """Show a text of several lines."""
        import pydoc  # noqa: PLC0415 - it is imported: this is its pager

        del title
        show({PLAIN: pydoc.plain(text)})

    return page


def question_in(code: str) -> tuple[str, int] | None:
    """Return the name and the level of detail that a cell such as `name??` asks about."""
    match = _QUESTION.fullmatch(code)
    if match is None:
        return None
    before, name, other, after = match.groups()
    return name or other, len(before or after) - 1
