"""Where kernelspecs are written, and how: whole or not at all."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minikernel.cli.terminal import say
from minikernel.errors import ConfigError
from minikernel.transport.connection import data_dir

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for this user (the default)")
    place.add_argument("--sys-prefix", action="store_true", help="for this Python environment")
    place.add_argument("--prefix", metavar="DIR", help="for the environment in that directory")


def is_named(args: argparse.Namespace) -> bool:
    """Whether one of those options was given."""
    return bool(args.user or args.sys_prefix or args.prefix)


def kernels(args: argparse.Namespace) -> Path:
    """The directory for kernelspecs that was asked for."""
    root = data_dir()
    if args.sys_prefix or args.prefix:
        root = Path(args.prefix or sys.prefix).expanduser() / "share" / "jupyter"
    return root.absolute() / "kernels"


def install(
    args: argparse.Namespace, name: str, spec: dict[str, Any], fill: Callable[[Path], None]
) -> None:
    """Put a kernelspec where it was asked for, in the place of an older one, and say so.

    Args:
        args: say where.
        name: of the kernel.
        spec: what kernel.json says.
        fill: puts the other files into a folder.

    Raises:
        ConfigError: it can't be written; an older one is still there.
    """
    target = kernels(args) / name
    try:
        _write(target, spec, fill)
    except OSError as error:
        hint = "; --user needs no rights" if args.sys_prefix or args.prefix else ""
        raise ConfigError(f"can't write {str(target)!r}: {_reason(error)}{hint}") from None
    say(f'installed "{spec["display_name"]}" in {target}')
    say(f"choose it in JupyterLab, or start it: jupyter console --kernel {name}")
    if args.prefix:
        path = shlex.quote(str(target.parent.parent))
        say(f"if Jupyter doesn't list it: export JUPYTER_PATH={path}")


def remove(target: Path) -> None:
    """Remove a kernelspec's folder, or the link to it.

    Raises:
        ConfigError: it can't be removed.
    """
    try:
        if target.is_symlink():
            target.unlink()
        else:
            shutil.rmtree(_put_aside(target))
    except OSError as error:
        raise ConfigError(f"can't remove {str(target)!r}: {_reason(error)}") from None


def _write(target: Path, spec: dict[str, Any], fill: Callable[[Path], None]) -> None:
    draft = _beside(target, "new")
    draft.mkdir(parents=True)
    try:
        fill(draft)
        text = json.dumps(spec, indent=2, ensure_ascii=False)
        (draft / "kernel.json").write_text(f"{text}\n", encoding="utf-8")
        _replace(target, draft)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _replace(target: Path, draft: Path) -> None:
    if not target.exists() or target.is_symlink():
        target.unlink(missing_ok=True)
        draft.rename(target)
        return
    old = _put_aside(target)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _put_aside(target: Path) -> Path:
    return target.rename(_beside(target, "old"))


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}-{what}-{os.getpid()}")


def _reason(error: OSError) -> str:
    """Why, in a few words; shutil.copytree gathers what went wrong with each file."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return str(error.strerror)
