"""The first milliseconds of a bridge: the kernel is started, and then all else is imported."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from minikernel.bridge import folder as folders
from minikernel.bridge import original, reaper
from minikernel.errors import ConfigError

SHARED = "/tmp"  # noqa: S108 - a folder in it is 0700 from the start, and can't be foreseen


class Options(NamedTuple):
    """What a protected kernelspec asks for.

    Args:
        folder: of the kernelspec that it protects.
        connection_file: what the front end has written for the kernel that it believes to start.
        require_private: whether a kernel is refused that others on this machine can reach.
        more: arguments that the front end has added, for the kernel.
    """

    folder: str
    connection_file: str
    require_private: bool = False
    more: tuple[str, ...] = ()


class Started(NamedTuple):
    """A kernel that has been started, and may be long in being ready.

    Args:
        kernel: behind its reaper.
        original: its kernelspec.
        folder: of its sockets, mode 0700; the reaper removes it.
        connection_file: in that folder: what the kernel reads.
    """

    kernel: reaper.Kernel
    original: original.Original
    folder: str
    connection_file: str


def start(options: Options) -> Started:
    """Start the kernel, on sockets of its own in a new folder.

    Raises:
        ConfigError: its kernelspec has gone, or it can't be started.
    """
    spec = original.read(options.folder)
    folder = _new_folder()
    place = folders.look_at(folder)
    try:
        file = _write_connection_file(folder, spec.name)
        argv, env = spec.command(file, options.more), spec.environment(os.environ)
        kernel = _reaped(argv, env, folder)
    except BaseException:
        folders.remove(place)  # unless the reaper has done it
        raise
    return Started(kernel, spec, folder, file)


def _reaped(argv: list[str], env: dict[str, str], folder: str) -> reaper.Kernel:
    try:
        return reaper.start(argv, env, None, folder)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the kernel can't be started: {argv[0]!r}: {problem}") from None


def _new_folder() -> str:
    """A folder that is ours alone, on this machine.

    Its name is short: xeus takes no socket whose address is longer than 31 bytes, as in
    ipc:///tmp/mk-0123456789ab/k-1. And it is not in XDG_RUNTIME_DIR, which is removed when its user
    logs out, while a kernel may stay.
    """
    place = SHARED if os.access(SHARED, os.W_OK | os.X_OK) else os.environ.get("TMPDIR", SHARED)
    folder = f"{os.path.abspath(place)}/mk-{os.urandom(6).hex()}"
    try:
        os.mkdir(folder, 0o700)
    except OSError as error:
        raise ConfigError(f"folder {folder!r}: {error.strerror}") from None
    return folder


def _write_connection_file(folder: str, name: str) -> str:
    ports = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    fields = {
        **{port: number for number, port in enumerate(ports, 1)},
        "transport": "ipc",
        "ip": f"{folder}/k",
        "key": os.urandom(32).hex(),
        "signature_scheme": "hmac-sha256",
        "kernel_name": name,
    }
    path = f"{folder}/kernel.json"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(fields, file)
    return path
