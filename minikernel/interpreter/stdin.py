"""`input()`, `getpass()` and `sys.stdin`, over the frontend."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import Frontend


class Stdin(io.TextIOBase):
    """A `sys.stdin` whose lines are asked for one by one.

    It ends only if the user says so, with Ctrl-D in a terminal. pdb, cmd and code.interact
    read from it or from `input`; both end at the same question. Its descriptor is 0, the null
    device in a kernel.
    """

    name = "<stdin>"
    mode = "r"
    encoding = "utf-8"
    errors = "strict"

    def __init__(self, frontend: Frontend) -> None:
        super().__init__()
        self._frontend = frontend

    def readable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor that child processes inherit."""
        return 0

    def isatty(self) -> bool:
        """Return False: no terminal control reaches the user."""
        return False

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Ask for one line; empty if the input is over. `size` does not shorten it."""
        del size
        try:
            return self._frontend.input("") + "\n"
        except EOFError:
            return ""

    def __next__(self) -> str:  # type: ignore[override]
        if line := self.readline():
            return line
        raise StopIteration

    def read(self, size: int | None = -1, /) -> str:
        """Return one line: most users have no way to say that there are no more."""
        return self.readline(size)

    def detach(self) -> NoReturn:
        """Refuse: there is no buffer below."""
        raise io.UnsupportedOperation("detach")


def input_over(frontend: Frontend) -> Callable[..., str]:
    """Return a replacement of `builtins.input`."""

    def input(prompt: object = "", /) -> str:  # noqa: A001 - its name in tracebacks and help
        """Ask the user for one line."""
        return frontend.input(str(prompt))

    return input


def getpass_over(frontend: Frontend) -> Callable[..., str]:
    """Return a replacement of `getpass.getpass`."""

    def getpass(prompt: str = "Password: ", stream: object = None, **_: object) -> str:
        """Ask the user for one line that is not shown."""
        del stream
        return frontend.input(prompt, password=True)

    return getpass
