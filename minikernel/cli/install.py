"""`minikernel install`: write a kernelspec (jupyter_client documentation, "Kernel specs")."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.errors import ConfigError
from minikernel.transport.connection import data_dir

if TYPE_CHECKING:
    import argparse

SOURCE = Path(__file__).with_name("kernelspec")
EPILOG = """\
`pip install minikernel` alone makes the kernel appear for the environment that it is installed
in. This command is for a Jupyter that lives elsewhere: the kernelspec names this interpreter.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `install`."""
    parser.epilog = EPILOG
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for this user (the default)")
    place.add_argument("--sys-prefix", action="store_true", help="for this Python environment")
    place.add_argument("--prefix", type=Path, help="for the environment in that directory")
    add = parser.add_argument
    add("--name", default="minikernel", help="the kernel's name, in commands")
    add("--display-name", metavar="TEXT", help="the kernel's name, in menus")
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
    if not re.fullmatch(r"[A-Za-z0-9._-]+", args.name):
        raise ConfigError(f"--name {args.name!r}: take letters, digits, '.', '_' and '-' only")
    target = _kernels(args) / args.name.lower()
    spec = json.loads((SOURCE / "kernel.json").read_text())
    spec["argv"][0] = sys.executable  # Jupyter would put its own interpreter for "python"
    spec["display_name"] = args.display_name or spec["display_name"]
    if args.env:
        spec["env"] = dict(args.env)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in SOURCE.glob("logo*"):
            shutil.copyfile(file, target / file.name)
        (target / "kernel.json").write_text(json.dumps(spec, indent=2) + "\n")
    except OSError as error:
        raise ConfigError(f"{str(target)!r}: {error.strerror}; --user needs no rights") from None
    print(f"installed {spec['display_name']!r} in {target}")
    print(f"try: jupyter console --kernel {args.name.lower()}")
    return 0


def _kernels(args: argparse.Namespace) -> Path:
    if args.sys_prefix or args.prefix:
        return Path(args.prefix or sys.prefix).absolute() / "share" / "jupyter" / "kernels"
    return data_dir() / "kernels"
