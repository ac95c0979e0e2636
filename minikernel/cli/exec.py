"""`minikernel exec`: run a script or a notebook on a fresh kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.errors import ConfigError

if TYPE_CHECKING:
    import argparse

SCRIPT, NOTEBOOK = ".py", ".ipynb"
EPILOG = """\
examples:
  minikernel exec report.py --month 3
  minikernel exec analysis.ipynb
  minikernel exec --output done.ipynb --allow-errors analysis.ipynb

A script runs in the current directory, as with `python FILE.py`; what follows
its name is its sys.argv. What it prints is printed, what it displays is printed
as text, input() reads from standard input, and its exit code is this command's.

A notebook runs in its own directory. Its outputs are written back into it once
a cell has failed or all have run; cells tagged skip-execution are left alone,
cells tagged raises-exception may fail. Options may also follow its name.

exit codes: 0; 1 if the code failed; 2 if FILE or an option can't be used; 130
after Ctrl-C, which interrupts the code.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `exec`."""
    parser.epilog = EPILOG
    _add_options(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="a script or a notebook")
    parser.add_argument("arguments", nargs="...", metavar="...", help="for a script: its sys.argv")
    parser.set_defaults(parser=parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("for notebooks").add_argument
    add("--output", metavar="FILE", type=Path, help="write there, and leave the notebook as it is")
    add("--allow-errors", action="store_true", help="go on after a cell that failed")


def run(args: argparse.Namespace) -> int:
    """Run the file; the exit code."""
    path: Path = args.file
    if path.suffix == SCRIPT:
        return _run_script(args)
    if path.suffix == NOTEBOOK:
        return _run_notebook(args)
    if path.is_dir():
        raise ConfigError(f"{str(path)!r} is a directory")
    raise ConfigError(f"{str(path)!r} is neither a script, FILE.py, nor a notebook, FILE.ipynb")


def _run_script(args: argparse.Namespace) -> int:
    from minikernel.cli import script  # noqa: PLC0415 - imports the client, after the simple checks

    if args.output or args.allow_errors:
        raise ConfigError("--output and --allow-errors are for notebooks")
    return script.run(args.file, args.arguments)


def _run_notebook(args: argparse.Namespace) -> int:
    try:
        from minikernel.cli import notebook  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as missing:
        if missing.name != "nbformat":
            raise
        raise ConfigError("notebooks need nbformat: pip install 'minikernel[notebook]'") from None
    after = args.parser.parse_args([*args.arguments, str(args.file)])
    if after.file != args.file or after.arguments:
        raise ConfigError("a notebook takes no arguments")
    return notebook.run(
        args.file,
        output=after.output or args.output,
        allow_errors=after.allow_errors or args.allow_errors,
    )


def contents(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{str(path)!r}: {error.strerror}") from None
