"""The kernel behind the bridge: a folder and a key of its own, new at each start.

It is started before the bridge imports what it needs for itself, so that nobody waits for that.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.bridge import reaper
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.bridge.kernelspec import Kernelspec

LONGEST = 103 - len("/mk0123456789/k-5")  # sun_path of macOS holds 104 bytes
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class Behind(NamedTuple):
    """A kernel that has been started.

    Args:
        process: the kernel.
        file: its connection file.
        interrupt_mode: "signal" or "message".
    """

    process: reaper.Kernel
    file: str
    interrupt_mode: str


def start(spec: Kernelspec, arguments: tuple[str, ...], env: Mapping[str, str]) -> Behind:
    """Start a kernel.

    Args:
        spec: of the kernel.
        arguments: more of them.
        env: the environment.

    Raises:
        ConfigError: there is no place for its sockets, or no such program.
    """
    folder = _new_folder(env)
    try:
        file = f"{folder}/kernel.json"
        fields: dict[str, Any] = {
            **{name: number for number, name in enumerate(PORTS, 1)},
            "transport": "ipc",
            "ip": f"{folder}/k",
            "key": os.urandom(32).hex(),
            "signature_scheme": "hmac-sha256",
            "kernel_name": os.path.basename(spec.folder),  # noqa: PTH119 - pathlib would hold up the kernel
        }
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as opened:
            json.dump(fields, opened)
        process = reaper.start(spec.command(file, arguments), env, os.getcwd(), folder)  # noqa: PTH109 - as above
    except BaseException as problem:
        _remove(folder)
        if isinstance(problem, OSError):
            raise ConfigError(f"can't start {spec.argv[0]!r}: {problem.strerror}") from None
        raise
    return Behind(process, file, spec.interrupt_mode)


def _new_folder(env: Mapping[str, str]) -> str:
    """A folder of mode 0700 whose name is short: xeus has 32 bytes for an address, ipc:// included."""
    places = ["/tmp", env.get("XDG_RUNTIME_DIR"), env.get("TMPDIR")]  # noqa: S108 - nobody else can enter it
    for place in places:
        if not place or not os.path.isabs(place) or len(os.fsencode(place)) > LONGEST:  # noqa: PTH117 - as above
            continue
        folder = f"{place.rstrip('/')}/mk{os.urandom(5).hex()}"
        try:
            os.mkdir(folder, 0o700)  # noqa: PTH102 - as above
        except OSError:
            continue
        return folder
    raise ConfigError("no place for the kernel's sockets: set TMPDIR to a folder with a short name")


def _remove(folder: str) -> None:
    for name in os.listdir(folder):  # noqa: PTH208 - as above
        os.unlink(f"{folder}/{name}")  # noqa: PTH108 - as above
    os.rmdir(folder)  # noqa: PTH106 - as above
