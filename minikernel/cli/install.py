"""`minikernel install`: write a kernelspec (jupyter_client documentation, "Kernel specs")."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minikernel.cli import places
from minikernel.cli.engines import engine
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    import argparse

SOURCE = Path(__file__).with_name("kernelspec")
NAME = "minikernel"
EPILOG = """\
`pip install minikernel` alone makes the kernel appear for the Jupyter of the
environment that it is installed in. This command is for a Jupyter that lives
elsewhere: the kernelspec that it writes names this interpreter by its full
path. The default, --user, needs no rights and is seen by every Jupyter of this
user.

examples:
  minikernel install
  minikernel install --name one --display-name "One" --env OMP_NUM_THREADS 1
  sudo /opt/venv/bin/minikernel install --prefix /usr/local
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `install`."""
    parser.epilog = EPILOG
    places.add_places(parser)
    add = parser.add_argument
    add("--name", default=NAME, help="the kernel's name, in commands (default: minikernel)")
    add("--display-name", metavar="TEXT", help='in menus (default: "Python (NAME)")')
    add(
        "--engine",
        metavar="MODULE:CLASS",
        help="the language engine to run, as for `minikernel run` (default: Python)",
    )
    add(
        "--env",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="an environment variable for the kernel; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Write the kernelspec and say where it is."""
    places.install(args, _name(args.name), _spec(args), _copy_logos)
    return 0


def _name(text: str) -> str:
    # Jupyter takes these characters, and compares without regard to case.
    if not re.fullmatch(r"[A-Za-z0-9._-]+", text) or set(text) == {"."}:
        raise ConfigError(f"--name {text!r}: take letters, digits, '.', '_' and '-' only")
    return text.lower()


def _spec(args: argparse.Namespace) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((SOURCE / "kernel.json").read_text(encoding="utf-8"))
    spec["argv"][0] = sys.executable  # Jupyter would put its own interpreter for "python"
    spec["display_name"] = args.display_name or f"Python ({args.name})"
    if args.engine is not None:
        spec["language"] = engine(args.engine).info.name
        spec["argv"][4:4] = ["--engine", args.engine]
        spec["display_name"] = args.display_name or args.name
    for variable, _ in args.env:
        if not variable or "=" in variable:
            raise ConfigError(f"--env {variable!r}: that can't name an environment variable")
    spec["env"].update(args.env)
    return spec


def _copy_logos(folder: Path) -> None:
    for logo in SOURCE.glob("logo*"):
        shutil.copyfile(logo, folder / logo.name)
