"""Arguments of the command line: what is wrong with them, in one line."""

from __future__ import annotations

import argparse
import difflib
import math
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

OPTION = re.compile(r"-(?!\.?\d)(?=.)", re.DOTALL)  # neither a negative number nor a lone "-"


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments, and what was probably meant."""

    def __init__(
        self, prog: str, *, description: str | None = None, epilog: str | None = None
    ) -> None:
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse_args(  # type: ignore[override]  # a namespace of one kind only
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse.

        Raises:
            ConfigError: an argument is unknown, missing or has a wrong value.
        """
        if not any(action.nargs == argparse.REMAINDER for action in self._actions):
            for arg in _options_in(args):
                self._check_known(arg)
        parsed, rest = self.parse_known_args(args, namespace)
        for arg in _options_in(rest):
            self._check_known(arg)
        if rest:
            self.error(f"does not take {rest[0]!r}{nearest(rest[0], self._option_string_actions)}")
        return parsed

    def _check_known(self, arg: str) -> None:
        # Before parsing: argparse would complain of what is missing first.
        known = self._option_string_actions
        name = arg.split("=", maxsplit=1)[0]
        if name not in known and (arg.startswith("--") or arg[:2] not in known):
            self.error(f"has no option {name!r}{nearest(name, known)}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End after --help or --version; flushed here, where a broken pipe is still noticed."""
        sys.stdout.flush()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError."""
        verb = "" if message.startswith(("has no ", "does not ")) else ": "
        text = f"{self.prog.removeprefix('minikernel').strip()}{verb or ' '}{message}".strip()
        raise ConfigError(f"{text} ({self.prog} --help)")


def _options_in(args: Sequence[str]) -> Iterable[str]:
    end = args.index("--") if "--" in args else len(args)
    return (arg for arg in args[:end] if OPTION.match(arg))


def nearest(word: str, known: Iterable[str]) -> str:
    """A question for the known word that was probably meant; empty if none is like it."""
    by_bare_word = {name.lstrip("-"): name for name in known}
    found = difflib.get_close_matches(word.lstrip("-"), by_bare_word, n=1, cutoff=0.5)
    return f"; did you mean {by_bare_word[found[0]]}?" if found else ""


def contents(path: Path) -> bytes:
    """The bytes of a file that was named.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{str(path)!r}: {error.strerror}") from None


def seconds(text: str, below: float = math.inf) -> float:
    """A positive number of seconds, less than `below`.

    Raises:
        ArgumentTypeError: it isn't one.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < below:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return number
