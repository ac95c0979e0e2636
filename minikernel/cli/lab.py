"""`minikernel lab`: attack every scheme, and see what each lets through."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from minikernel.auth.registry import ALIASES
from minikernel.cli.arguments import nearest
from minikernel.cli.terminal import CLEAR_LINE
from minikernel.errors import ConfigError
from minikernel.lab import matrix, proofs, text
from minikernel.lab.attacks import ATTACKS, BY_TITLE
from minikernel.lab.columns import COLUMNS
from minikernel.lab.picture import drawn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from minikernel.lab.columns import Column
    from minikernel.lab.evidence import Attack
    from minikernel.lab.matrix import Finding

WIDTH = 79  # columns of the line that shows how far it is
EPILOG = """\
examples:
  minikernel lab                              the whole matrix, in a few minutes
  minikernel lab --scheme null --attack copy-an-identity
  minikernel lab --explain copy-an-identity   its steps, and why it works
  minikernel lab --channels                   who can prove what, per channel
  minikernel lab --svg > matrix.svg

It attacks kernels that it starts itself, on 127.0.0.1. The exit code is 1 if
anything came out differently from the table of expectations.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--attack", action="append", metavar="NAME", help="only this attack; may be repeated")
    add(
        "--scheme",
        action="append",
        metavar="NAME",
        help="only this scheme, by its name here or in run --scheme; may be repeated",
    )
    add("--list", action="store_true", help="the names of schemes and attacks")
    add("--explain", metavar="ATTACK", help="its steps, the frames, and why it works or not")
    add("--channels", action="store_true", help="who can prove what to whom, per channel")
    add("--expected", action="store_true", help="what is expected; nothing is attacked")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="every finding, with its evidence")
    forms.add_argument("--markdown", action="store_true", help="a page that explains them, too")
    forms.add_argument("--svg", action="store_true", help="the matrix as a picture")


def run(args: argparse.Namespace) -> int:
    """Attack, or describe attacks; the exit code."""
    if args.list:
        print("schemes:", *(f"  {c.name}" for c in COLUMNS), "attacks:", sep="\n")
        print(*(f"  {title}" for title in BY_TITLE), sep="\n")
    elif args.explain is not None:
        print(text.explained(_attack(args.explain)))
    elif args.channels:
        print(proofs.markdown() if args.markdown else proofs.text())
    else:
        return _run_matrix(args)
    return 0


def _run_matrix(args: argparse.Namespace) -> int:
    attacks = [_attack(name) for name in args.attack] if args.attack else list(ATTACKS)
    columns = [_column(name) for name in args.scheme] if args.scheme else list(COLUMNS)
    if args.expected:
        findings = list(matrix.as_expected(columns, attacks))
    else:
        logging.disable(logging.ERROR)  # clients complain of what the attacks do to them
        findings = _played(columns, attacks)
    print(_shown(args, findings))
    return int(any(finding.is_surprise for finding in findings))


def _played(columns: Sequence[Column], attacks: Sequence[type[Attack]]) -> list[Finding]:
    progress = Progress(len(columns) * len(attacks))
    try:
        return matrix.play_all(columns, attacks, progress)
    finally:
        progress.clear()


def _shown(args: argparse.Namespace, findings: Sequence[Finding]) -> str:
    if args.json:
        return text.as_json(findings)
    if args.markdown:
        return text.markdown(findings)
    return drawn(findings).standalone() if args.svg else text.matrix(findings)


class Progress:
    """One line on stderr that says how far it is, if that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shows = sys.stderr.isatty()

    def __call__(self, finding: Finding) -> None:
        """One more is done."""
        self._done += 1
        if self._shows:
            line = f"{self._done}/{self._total} {finding.column}: {finding.attack}"
            print(f"{CLEAR_LINE}{line:.{WIDTH}}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for the result."""
        if self._shows:
            print(CLEAR_LINE, end="", file=sys.stderr, flush=True)


def _attack(name: str) -> type[Attack]:
    if name not in BY_TITLE:
        raise ConfigError(f"there is no attack {name!r}{nearest(name, BY_TITLE)} (lab --list)")
    return BY_TITLE[name]


def _column(name: str) -> Column:
    columns = {c.name: c for c in COLUMNS}
    columns |= {full: columns[name] for name, full in ALIASES.items()}
    if name not in columns:
        raise ConfigError(f"the lab has no scheme {name!r}{nearest(name, columns)} (lab --list)")
    return columns[name]
