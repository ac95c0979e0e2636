"""Colours for code, if Pygments is there and the terminal takes them."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from minikernel.cli.terminal import has_colours

if TYPE_CHECKING:
    from prompt_toolkit.lexers import Lexer

PYTHON = "python3"


class Highlighter:
    """Colours the code of one language.

    Args:
        language: Pygments' name of it; the kernel says it, so it may be anything.
    """

    def __init__(self, language: str = PYTHON) -> None:
        self.lexer: Any = None  # of Pygments; None: no colours
        if not has_colours(sys.stdout):
            return
        try:
            self._pygments, lexers = import_module("pygments"), import_module("pygments.lexers")
        except ModuleNotFoundError:
            return
        with contextlib.suppress(ValueError):  # ClassNotFound: it knows no such language
            self.lexer = lexers.get_lexer_by_name(language)

    def __call__(self, code: str) -> str:
        """The code, which is printable already, with colour sequences."""
        if self.lexer is None:
            return code
        formatter = import_module("pygments.formatters").TerminalFormatter()
        return str(self._pygments.highlight(code, self.lexer, formatter)).rstrip("\n")

    def for_prompt(self) -> Lexer | None:
        """The same, for what is being typed."""
        if self.lexer is None:
            return None
        from prompt_toolkit.lexers import PygmentsLexer  # needs Pygments

        return PygmentsLexer(type(self.lexer))


def language_of(kernel_info: dict[str, Any]) -> str:
    """Pygments' name of a kernel's language; Python's if it does not tell."""
    said = kernel_info.get("language_info")
    lexer = said.get("pygments_lexer") or said.get("name") if isinstance(said, dict) else None
    return lexer if isinstance(lexer, str) else PYTHON
