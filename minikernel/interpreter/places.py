"""Where in the code a cursor is: in a comment, string, brackets; and which expression ends where.

The code is unfinished and may be wrong anywhere: a scanner that knows strings, comments and
brackets does not mind.
"""

from __future__ import annotations

import keyword
import re
from functools import cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<string>(?i:[rbuft]|[fbt]r|r[fbt])?(?:'''|\"\"\"|'|"))
    |(?P<comment>\#[^\n]*)
    |(?P<newline>\n)
    |(?P<space>(?:[^\S\n]|\\\r?\n)+)
    |(?P<name>[^\W\d]\w*)
    |(?P<number>\d(?:[eE][+-]|[\w.])*)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ENDS = ("name", "string", "close", "number")  # of a primary: a bracket after it belongs to it


class Token(NamedTuple):
    """A piece of code. A whole string is one token; so is all that a closed bracket closes."""

    kind: str
    start: int
    end: int
    first: int  # index of the token that the bracket opens with, else its own


class Opened(NamedTuple):
    """A bracket, or the braces of an f-string, that is still open at the cursor."""

    bracket: str
    token: int  # its number among the tokens


class Place:
    """What precedes a cursor.

    Args:
        code: All up to the cursor.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.tokens: list[Token] = []  # without spaces and comments
        self.opened: list[Opened] = []
        self.in_comment = False
        self.string = -1  # where the string begins that the cursor is in
        self._texts: list[tuple[str, int]] = []  # f-strings around the cursor: quote, start
        self._scan()

    def primary(self, end: int) -> str:
        """Return the expression of names, attributes, calls and subscripts that ends at a token.

        Args:
            end: The number of that token.

        Returns:
            The text of the expression; "" if there is none.
        """
        first = self._first_of_primary(end)
        return "" if first < 0 else self.code[self.tokens[first].start : self.tokens[end].end]

    def is_subscript(self, opened: Opened) -> bool:
        """Whether an open bracket is that of a subscript, not of a list."""
        return opened.bracket == "[" and self._ends_primary(opened.token - 1)

    def _first_of_primary(self, index: int) -> int:
        """Walk backwards from its last token to its first; -1 if there isn't one."""
        first = -1
        while self._ends_primary(index):
            token = self.tokens[index]
            first = token.first
            before = first - 1
            if token.kind == "close" and self._ends_primary(before):
                index = before  # a call, or a subscript
            elif before >= 0 and self.code[self.tokens[before].start] == ".":
                first, index = -1, before - 1
            else:
                return first
        return first

    def _ends_primary(self, index: int) -> bool:
        if index < 0 or self.tokens[index].kind not in _ENDS:
            return False
        token = self.tokens[index]
        return not keyword.iskeyword(self.code[token.start : token.end])

    def _scan(self) -> None:
        place, code = 0, self.code
        while place < len(code):
            match = _TOKEN.match(code, place)
            if match is None:  # never: `other` takes anything
                return
            kind, place = match.lastgroup or "", match.end()
            if kind == "string":
                place = self._text(match.group(), match.start(), place)
            elif kind == "comment":
                self.in_comment = place == len(code)
            elif kind == "open":
                self._open(match.group(), match.start())
            elif kind == "close":
                place = self._close(match.start())
            elif kind != "space" and not (kind == "newline" and self.opened):
                self._add(kind, match.start(), place)

    def _add(self, kind: str, start: int, end: int) -> None:
        self.tokens.append(Token(kind, start, end, len(self.tokens)))

    def _open(self, bracket: str, start: int) -> None:
        self.opened.append(Opened(bracket, len(self.tokens)))
        self._add("open", start, start + 1)

    def _close(self, start: int) -> int:
        if not self.opened:
            self._add("other", start, start + 1)
            return start + 1
        bracket, index = self.opened.pop()
        if bracket == "f{":
            del self.tokens[index:]
            quote, began = self._texts.pop()
            return self._text_from(quote, began, start + 1)
        self.tokens.append(Token("close", start, start + 1, index))
        return start + 1

    def _text(self, opening: str, start: int, place: int) -> int:
        """Go over a new string; return where it ends, or where an expression in it begins."""
        quote = opening.lstrip("rRbBuUfFtT")
        letters = opening[: -len(quote)].lower()
        return self._text_from(("f" if set(letters) & {"f", "t"} else "") + quote, start, place)

    def _text_from(self, quote: str, start: int, place: int) -> int:
        formatted, quote = quote.startswith("f"), quote.lstrip("f")
        end = _text_end(quote, formatted=formatted).match(self.code, place)
        if end is None:
            self.string = start
            return len(self.code)
        if end.lastgroup == "expression":
            self._texts.append((f"f{quote}", start))
            self._open("f{", end.end() - 1)
        elif end.lastgroup == "end":
            self._add("string", start, end.end())
        else:
            return end.end() - 1  # it was never closed; its line is over
        return end.end()


@cache
def _text_end(quote: str, *, formatted: bool) -> re.Pattern[str]:
    """Match the rest of a string, to its end, to an expression in it, or to where its line ends."""
    inside = r"(?:\\.|\{\{|[^\\{])*?" if formatted else r"(?:\\.|[^\\])*?"
    ends = [f"(?P<end>{quote})"]
    if formatted:
        ends.append(r"(?P<expression>\{(?!\{))")
    if len(quote) == 1:
        ends.append(r"(?P<line>\n)")
    return re.compile(inside + f"(?:{'|'.join(ends)})", re.DOTALL)
