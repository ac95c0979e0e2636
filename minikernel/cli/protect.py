"""`minikernel protect`: a kernelspec whose kernel is another's, behind a bridge."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.bridge import original
from minikernel.cli import places
from minikernel.cli.arguments import nearest
from minikernel.cli.terminal import say
from minikernel.client import kernelspecs
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

SUFFIX = "-protected"
OURS = "minikernel"  # in a kernelspec's metadata: what we have noted there
LOCAL = "local-provisioner"  # jupyter_client's own: runs argv here
# Python ends by SIGINT until it is up; what a shell ignores stays ignored, until we heed it. And
# where argv begins with a Python some editors put another in its place.
QUIETLY = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "minikernel"]
EPILOG = """\
NAME is a kernel that Jupyter lists (jupyter kernelspec list). A second one is
written beside it, NAME-protected, which starts the same kernel on Unix sockets
in a folder that only you can enter, behind a bridge: to JupyterLab, VS Code and
others the bridge is the kernel. It verifies each message, and refuses what is
forged or replayed. The first stays as it is. What it says is read at each start:
if it is updated, so is the protected one; if it is removed, remove this as well.

examples:
  minikernel protect python3            then choose "Python 3 (protected)"
  minikernel protect ir --sys-prefix    for all who use this environment
  minikernel protect python3 --require-private
                                        end a kernel that opens a TCP port
  minikernel protect --list
  minikernel protect --remove python3-protected
"""


class Note(NamedTuple):
    """What we write into a kernelspec's metadata.

    Args:
        protects: the name of the original.
        folder: of the original.
        options: that were given.
    """

    protects: str
    folder: str
    options: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `protect`."""
    parser.epilog = EPILOG
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", nargs="?", metavar="NAME", help="the kernel to protect")
    what.add_argument("--list", action="store_true", help="show the protected kernels")
    what.add_argument("--remove", metavar="NAME", help="remove a protected kernel")
    places.add_places(parser)
    parser.add_argument(
        "--require-private",
        action="store_true",
        help="refuse the kernel if others on this machine can reach it, and debug_request with it"
        " (default: say so on stderr)",
    )


def run(args: argparse.Namespace) -> int:
    """Protect a kernel, list those that are, or remove one.

    Raises:
        ConfigError: no kernel was named, or with it nothing can be done.
    """
    if args.list:
        _list(args)
    elif args.remove is not None:
        _remove(args)
    elif args.name is None:
        raise ConfigError("protect: name a kernel (jupyter kernelspec list shows them)")
    else:
        _protect(args)
    return 0


def _protect(args: argparse.Namespace) -> None:
    name, found = args.name.lower(), kernelspecs.installed()
    folder = found.get(name)
    if folder is None:
        listed = nearest(name, found) or "; `jupyter kernelspec list` shows those that there are"
        raise ConfigError(f"there is no kernel named {args.name!r}{listed}")
    fields = _checked(name, folder)
    target = places.kernels(args) / f"{name}{SUFFIX}"
    if os.path.lexists(target) and _note_in(target) is None:
        raise ConfigError(f"{str(target)!r} is there already, and not of minikernel's making")
    spec = _protected(fields, name, folder.absolute(), require_private=args.require_private)
    places.install(args, target.name, spec, partial(_copy_resources, folder))


def _checked(name: str, folder: Path) -> dict[str, Any]:
    """What a kernelspec says, if its kernel can be started by a bridge."""
    if _note_in(folder) is not None:
        raise ConfigError(f"{name!r} is protected already")
    original.read(str(folder))
    fields = original.fields_of(str(folder))
    provisioner = _metadata(fields).get("kernel_provisioner")
    by = provisioner.get("provisioner_name") if isinstance(provisioner, dict) else None
    if by not in {None, LOCAL}:
        raise ConfigError(
            f"{name!r} is started by {by!r}, not by a command that could be protected"
        )
    return fields


def _protected(
    fields: dict[str, Any], name: str, folder: Path, *, require_private: bool
) -> dict[str, Any]:
    """The kernelspec: as the original, but for what starts and interrupts it.

    Its env is not copied: it is the kernel's alone, and the bridge gives it that at each start.
    One with PYTHONHOME would keep the bridge itself from starting.
    """
    note = Note(name, str(folder), ["--require-private"] if require_private else [])
    metadata = {**_metadata(fields), OURS: note._asdict()}
    # What follows is promised by us, not by the kernel.
    metadata.pop("kernel_provisioner", None)
    metadata.pop("supported_encryption", None)
    if require_private:
        metadata["debugger"] = False
    command = [sys.executable, "-m", "minikernel", "protect", "--run", note.folder, *note.options]
    shown = str(fields.get("display_name", name)).removesuffix(" (ipykernel)")
    return {
        **fields,
        # After the last word come arguments that a front end adds, for the kernel.
        "argv": [*QUIETLY, *command, "-f", "{connection_file}", "--"],
        "display_name": f"{shown} (protected)",
        "env": {"PYTHONSAFEPATH": "1"},
        "interrupt_mode": "message",
        "metadata": metadata,
    }


def _copy_resources(source: Path, target: Path) -> None:
    """Logos and whatever else is there. A link stays one, and leads to where it led."""
    for path in source.iterdir():
        copy = target / path.name
        if path.is_symlink():
            copy.symlink_to(path.resolve())
        elif path.is_dir():
            shutil.copytree(path, copy, symlinks=True)
        elif path.name != "kernel.json":
            shutil.copyfile(path, copy)


def _list(args: argparse.Namespace) -> None:
    ours = _ours(args)
    for name, (folder, note) in ours.items():
        options = "".join(f", {option}" for option in note.options)
        gone = "" if _is_there(note) else " (gone: remove this as well)"
        say(f"{name}  protects {note.protects} in {note.folder}{gone}{options}")
        say(f"{'':{len(name)}}  {folder}")
    if not ours:
        say("no kernel is protected; minikernel protect NAME does it")


def _is_there(note: Note) -> bool:
    try:
        original.read(note.folder)
    except ConfigError:
        return False
    return True


def _remove(args: argparse.Namespace) -> None:
    name, found = args.remove.lower(), _found(args)
    ours = _ours(args)
    if name not in ours and f"{name}{SUFFIX}" in ours:
        name += SUFFIX
    if name in ours:
        folder = ours[name][0]
        places.remove(folder)
        say(f"removed {folder}")
    elif name in found:
        raise ConfigError(
            f"{name!r} is not of minikernel protect's making: jupyter kernelspec remove {name}"
        )
    else:
        hint = nearest(name, ours) or "; minikernel protect --list shows those that there are"
        raise ConfigError(f"there is no protected kernel named {args.remove!r}{hint}")


def _found(args: argparse.Namespace) -> dict[str, Path]:
    """The kernelspecs in the place that was named, or those that Jupyter finds."""
    if not places.is_named(args):
        return kernelspecs.installed()
    folder = places.kernels(args)
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name.lower(): path for path in folders if (path / "kernel.json").is_file()}


def _ours(args: argparse.Namespace) -> dict[str, tuple[Path, Note]]:
    """Those of our making, with what we have noted."""
    noted = ((name, folder, _note_in(folder)) for name, folder in _found(args).items())
    return {name: (folder, note) for name, folder, note in noted if note is not None}


def _note_in(folder: Path) -> Note | None:
    """What we have noted in a kernelspec; None: it is another's."""
    try:
        note = _metadata(original.fields_of(str(folder))).get(OURS)
    except ConfigError:
        return None
    match note:
        case {"protects": str(name), "folder": str(of), "options": [*options]}:
            return Note(name, of, [str(option) for option in options])
    return None


def _metadata(fields: dict[str, Any]) -> dict[str, Any]:
    metadata = fields.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
