"""A language engine: a calculator that writes `3 4 + 6 *` for (3 + 4) * 6."""

from __future__ import annotations

import operator

from minikernel.interpreter.base import Completion, LanguageInfo
from minikernel.interpreter.plain import PlainEngine

WORDS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


class Calculator(PlainEngine):
    """Keeps a stack from cell to cell; a cell that fails leaves it as it was."""

    info = LanguageInfo(name="calculator", version="1", banner="As in 1 2 +")
    stack: tuple[float, ...] = ()

    def run(self, code: str) -> str | None:
        stack = list(self.stack)
        for word in code.split():
            if word == "print":
                print(*stack)
            elif word in WORDS:
                right, left = stack.pop(), stack.pop()
                stack.append(WORDS[word](left, right))
            else:
                stack.append(float(word))
        self.stack = tuple(stack)
        return f"{stack[-1]:g}" if stack else None

    def complete(self, code: str, cursor: int) -> Completion:
        return Completion(matches=[*WORDS, "print"], start=cursor, end=cursor)
