"""The command `minikernel`: which subcommand, and what to say when something is wrong.

A subcommand is a module with `configure(parser)` and `run(args) -> exit code`; it is imported only
when it has been chosen, so that a kernel's start pays for nothing else.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from minikernel.errors import ConfigError, KernelDied, TooManySessions
from minikernel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.cli.arguments import Parser

SUBCOMMANDS = {
    "run": "run a kernel, as Jupyter starts it or by hand",
    "install": "make the kernel appear in a JupyterLab of another environment",
    "protect": "put a kernel that others wrote behind a bridge that verifies every message",
    "admit": "write a connection file for one more client, with CURVE keys of its own",
    "exec": "run a notebook on a fresh kernel, or a .py file as python does",
    "console": "an interactive prompt, or a window to watch what others run",
    "invite": "write a connection file for somebody who may do less than the owner",
    "demo": "watch every message of a kernel being verified, and forgeries refused",
    "lab": "attack every signature scheme, and see what each lets through",
    "echo": "an echo server over plain TCP, with a one-time challenge first",
}
EPILOG = """\
examples:
  minikernel demo                     see what it is about, in ten seconds
  minikernel console                  a prompt on a kernel of its own
  minikernel exec analysis.ipynb      run a notebook and write its outputs back
  minikernel install --user           then start JupyterLab, and choose it there

`minikernel SUBCOMMAND --help` says more about each.
"""
FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141  # exit codes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115, PTH123 - for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding lacks is no reason to end
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except ConfigError as problem:
        return _complain(problem, USAGE)
    except (KernelDied, TooManySessions) as problem:
        return _complain(problem, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nor can the interpreter flush it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    except OSError as problem:  # the disk is full, say
        return _complain(problem, FAILED)
    return code


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["run"] and "--" in arguments:
        # kernel.json ends in "--": jupyter_client's tools append what other kernels understand.
        arguments = arguments[: arguments.index("--")]
    if arguments[:2] == ["run", "-f"] and len(arguments) == 3:  # noqa: PLR2004 - what kernel.json says
        # How Jupyter starts every kernel: without argparse, which would take 8 ms.
        from minikernel.kernel.options import Options  # noqa: PLC0415 - only for run
        from minikernel.kernel.service import run  # noqa: PLC0415 - as above

        return run(Options(connection_file=arguments[2]))
    if arguments[:2] == ["protect", "--run"]:
        # How Jupyter starts a protected one, which must not wait for argparse either.
        from minikernel.bridge.entry import run as bridge  # noqa: PLC0415 - only for protect

        return bridge(arguments[2:])
    return _run_parsed(arguments)


def _run_parsed(arguments: list[str]) -> int:
    from minikernel.cli.arguments import Parser, nearest  # noqa: PLC0415 - see _run

    name = arguments[0] if arguments else ""
    if name in SUBCOMMANDS:
        module = import_module(f"minikernel.cli.{name}")
        parser = Parser(prog=f"minikernel {name}", description=SUBCOMMANDS[name])
        module.configure(parser)
        code: int = module.run(parser.parse_args(arguments[1:]))
        return code
    if name and not name.startswith("-"):
        meant = nearest(name, SUBCOMMANDS)
        raise ConfigError(f"there is no subcommand {name!r}{meant} (minikernel --help lists them)")
    _parse_top(Parser(prog="minikernel", epilog=EPILOG), arguments)
    raise ConfigError(f"name a subcommand: {', '.join(SUBCOMMANDS)} (minikernel --help)")


def _parse_top(parser: Parser, arguments: list[str]) -> None:
    """Parse what isn't a subcommand; --help and --version end here."""
    width = max(map(len, SUBCOMMANDS))
    listed = "".join(f"\n  {name:{width}}  {said}" for name, said in SUBCOMMANDS.items())
    parser.usage = "minikernel SUBCOMMAND ..."
    parser.description = (
        f"A Jupyter kernel and client that say who sent each message.\n\nsubcommands:{listed}"
    )
    parser.add_argument("-V", "--version", action="version", version=f"minikernel {__version__}")
    parser.parse_args(arguments)


def _complain(problem: Exception, code: int) -> int:
    from minikernel.client.escape import LAYOUT, printable  # noqa: PLC0415 - only in trouble

    print(f"minikernel: {printable(str(problem), keep=LAYOUT)}", file=sys.stderr)
    return code
