"""`minikernel install`: write a kernelspec (jupyter_client documentation, "Kernel specs")."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minikernel.cli.engines import engine
from minikernel.cli.terminal import say
from minikernel.errors import ConfigError
from minikernel.transport.connection import data_dir

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
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for this user (the default)")
    place.add_argument("--sys-prefix", action="store_true", help="for this Python environment")
    place.add_argument("--prefix", metavar="DIR", help="for the environment in that directory")
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
    name, spec = _name(args.name), _spec(args)
    target = _kernels(args) / name
    try:
        _write(target, spec)
    except OSError as error:
        hint = "" if _for_user(args) else "; --user needs no rights"
        raise ConfigError(f"can't write {str(target)!r}: {error.strerror}{hint}") from None
    say(f'installed "{spec["display_name"]}" in {target}')
    say(f"choose it in JupyterLab, or start it: jupyter console --kernel {name}")
    if args.prefix:
        path = shlex.quote(str(target.parent.parent))
        say(f"if Jupyter doesn't list it: export JUPYTER_PATH={path}")
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


def _kernels(args: argparse.Namespace) -> Path:
    root = data_dir()
    if not _for_user(args):
        root = Path(args.prefix or sys.prefix).expanduser() / "share" / "jupyter"
    return root.absolute() / "kernels"


def _for_user(args: argparse.Namespace) -> bool:
    return not (args.sys_prefix or args.prefix)


def _write(target: Path, spec: dict[str, Any]) -> None:
    """Put the kernelspec there in the place of an older one, whole or not at all."""
    draft = target.with_name(f".{target.name}-{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        for logo in SOURCE.glob("logo*"):
            shutil.copyfile(logo, draft / logo.name)
        text = json.dumps(spec, indent=2, ensure_ascii=False)
        (draft / "kernel.json").write_text(f"{text}\n", encoding="utf-8")
        if target.is_symlink():
            target.unlink()
        elif target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
