"""`minikernel exec`: run a script as python does, or a notebook on a fresh kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.cli.arguments import seconds
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    import argparse

SCRIPT, NOTEBOOK = ".py", ".ipynb"
EPILOG = """\
examples:
  minikernel exec report.py --month 3
  minikernel exec analysis.ipynb
  minikernel exec --output done.ipynb --allow-errors analysis.ipynb

A script runs as with `python FILE.py`, with its own arguments, standard input,
signals and exit code. What it gives to display() is printed as text,
and on a terminal what it writes is escaped, except colours.

A notebook runs in its own directory. Its outputs are written back into it once,
at the end: when all cells have run, one has failed, the kernel has died, or a
signal ends exec. Cells tagged skip-execution are left alone, cells tagged
raises-exception may fail. Options may also follow its name.

exit codes: 0; 1 if the code failed; 2 if FILE or an option can't be used; 128
and its number if a signal ended it, so 130 after Ctrl-C; or a script's own.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `exec`."""
    parser.epilog = EPILOG
    _add_options(parser)
    parser.add_argument("file", metavar="FILE", help="a script or a notebook")
    parser.add_argument("arguments", nargs="...", metavar="...", help="for a script: its sys.argv")
    parser.set_defaults(parser=parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("for notebooks").add_argument
    add("--output", metavar="FILE", type=Path, help="write there (-: to standard output)")
    add("--allow-errors", action="store_true", help="go on after a cell that failed")
    add("--timeout", metavar="SECONDS", type=seconds, help="end after a cell that takes longer")


def run(args: argparse.Namespace) -> int:
    """Run the file; the exit code."""
    path = Path(args.file)
    if path.suffix == SCRIPT:
        return _run_script(args)
    if path.suffix == NOTEBOOK:
        return _run_notebook(args)
    if path.is_dir():
        raise ConfigError(f"{str(path)!r} is a directory")
    raise ConfigError(f"{str(path)!r} is neither a script, FILE.py, nor a notebook, FILE.ipynb")


def _run_script(args: argparse.Namespace) -> int:
    from minikernel.cli import script  # imports the client, after the simple checks

    if args.output or args.allow_errors or args.timeout:
        raise ConfigError("--output, --allow-errors and --timeout are for notebooks")
    return script.run(args.file, args.arguments)


def _run_notebook(args: argparse.Namespace) -> int:
    try:
        from minikernel.cli import notebook  # needs an extra
    except ModuleNotFoundError as missing:
        if missing.name not in {"nbformat", "nbclient"}:
            raise
        raise ConfigError("notebooks need nbclient: pip install 'minikernel[notebook]'") from None
    after = args.parser.parse_args([*args.arguments, args.file])
    if after.file != args.file or after.arguments:
        raise ConfigError("a notebook takes no arguments")
    return notebook.run(
        Path(args.file),
        output=after.output or args.output,
        allow_errors=after.allow_errors or args.allow_errors,
        timeout=after.timeout or args.timeout,
    )
