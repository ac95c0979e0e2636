"""The command `minikernel`: which subcommand, and what to say when something is wrong.

A subcommand is a module with `configure(parser)` and `run(args) -> exit code`; it is imported only
when it has been chosen, so that a kernel's start pays for nothing else.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn

import minikernel
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUBCOMMANDS = {
    "run": "run a kernel: what Jupyter starts",
    "install": "make the kernel appear in JupyterLab, for this user or elsewhere",
    "exec": "run a .py file or a notebook on a fresh kernel",
    "console": "an interactive prompt, with the verdicts per channel",
    "demo": "watch every message of a kernel being verified, and forgeries refused",
    "echo": "an echo server over plain TCP, with a one-time challenge first",
}
EPILOG = """\
examples:
  minikernel demo                     see what it is about, in ten seconds
  minikernel console                  a prompt on a kernel of its own
  minikernel exec analysis.ipynb      run a notebook and write its outputs back
  minikernel install --user           then choose "Python (minikernel)" in JupyterLab

`minikernel SUBCOMMAND --help` tells about each.
"""
USAGE, INTERRUPTED = 2, 130  # exit codes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(arguments)
    except ConfigError as problem:
        print(f"minikernel: {problem}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nor can the interpreter flush it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _run(arguments: list[str]) -> int:
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    parser = Parser(
        prog="minikernel",
        description="A Jupyter kernel and client that say who sent each message.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--version", action="version", version=f"minikernel {minikernel.__version__}"
    )
    commands = parser.add_subparsers(metavar="SUBCOMMAND", required=True, parser_class=Parser)
    for name, help_ in SUBCOMMANDS.items():
        # The word "help" last, so that the summary stands in both places.
        subparser = commands.add_parser(name, help=help_, description=help_)
        if name == chosen:
            module = importlib.import_module(f"minikernel.cli.{name}")
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    code: int = args.run(args)
    return code


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments, and what was probably meant."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            **{  # type: ignore[arg-type]
                "allow_abbrev": False,
                "formatter_class": argparse.RawDescriptionHelpFormatter,
                **options,
            }
        )

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse; what is left over is an error that names the nearest option."""
        parsed, rest = self.parse_known_args(args, namespace)
        if rest:
            known = [*self._option_string_actions, *self._options_of(args)]
            self.error(f"unknown argument {rest[0]}{_nearest(rest[0].split('=')[0], known)}")
        return parsed

    def _options_of(self, args: Sequence[str]) -> Iterable[str]:
        for action in self._actions:
            if isinstance(action.choices, dict):
                return [o for a in args if a in action.choices for o in _options(action.choices[a])]
        return []

    def error(self, message: str) -> NoReturn:
        """End with one line on stderr and exit code 2."""
        if wrong := re.search(r"invalid choice: '(.*?)' \(choose", message):
            name = wrong.group(1)
            message = f"there is no subcommand {name}{_nearest(name, SUBCOMMANDS)}"
        elif message.endswith("required: SUBCOMMAND"):
            message = f"name a subcommand: {', '.join(SUBCOMMANDS)}"
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _options(parser: argparse.ArgumentParser) -> Iterable[str]:
    return parser._option_string_actions  # noqa: SLF001 - argparse has no other word for it


def _nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
