"""The kernelspec of the kernel behind the bridge (jupyter_client documentation, "Kernel specs").

Its environment is not applied here: the kernelspec by which the bridge was started has it, too.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import NamedTuple

from minikernel.errors import ConfigError

INTERRUPT_MODES = ("signal", "message")


class Kernelspec(NamedTuple):
    """What is to be known of a kernel to start it, and to interrupt it."""

    folder: str
    argv: tuple[str, ...]
    interrupt_mode: str

    def command(self, connection_file: str, arguments: tuple[str, ...] = ()) -> list[str]:
        """How to start the kernel, as jupyter_client does it.

        Args:
            connection_file: path of the kernel's.
            arguments: more of them.
        """
        known = {
            "connection_file": connection_file,
            "prefix": sys.prefix,
            "resource_dir": self.folder,
        }
        first, *rest = (*self.argv, *arguments)
        major, minor = sys.version_info[:2]
        pythons = {"python", f"python{major}", f"python{major}.{minor}"}
        command = [sys.executable if first in pythons else first, *rest]
        return [re.sub(r"\{(\w+)\}", lambda m: known.get(m[1], m[0]), part) for part in command]


def read(folder: str) -> Kernelspec:
    """Read kernel.json in that folder.

    Raises:
        ConfigError: there is none, or it starts no kernel.
    """
    path = os.path.join(os.path.abspath(folder), "kernel.json")  # noqa: PTH100, PTH118 - pathlib would hold up the kernel
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            spec = json.load(file)
    except OSError as error:
        raise ConfigError(f"kernelspec {path!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"kernelspec {path!r} is no JSON: {error}") from None
    argv = spec.get("argv") if isinstance(spec, dict) else None
    if not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
        raise ConfigError(f"kernelspec {path!r}: argv is no list of strings")
    mode = spec.get("interrupt_mode") or "signal"
    if mode not in INTERRUPT_MODES:
        raise ConfigError(
            f"kernelspec {path!r}: interrupt_mode {mode!r} is none of signal, message"
        )
    return Kernelspec(os.path.dirname(path), tuple(argv), mode)  # noqa: PTH120 - as above
