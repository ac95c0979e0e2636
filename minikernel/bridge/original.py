"""The kernelspec of the kernel that is protected, read afresh at each start.

It is a JSON file in a folder that the protected kernelspec names, so that neither jupyter_client
nor a search for it is needed (jupyter_client documentation, "Kernel specs").
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_]+)\}")
ANY_PYTHON = re.compile(r"python(3(\.[0-9]+)?)?")
IN_PREFIX = ("share", "jupyter", "kernels")


class Original(NamedTuple):
    """How somebody else's kernel is started and interrupted.

    Args:
        folder: of the kernelspec, absolute; its last part is the kernel's name.
        argv: the command, with placeholders.
        env: what it adds to the environment; `$NAME` there is the value of NAME before.
        is_interrupted_by_message: by an interrupt_request, not by SIGINT.
    """

    folder: str
    argv: list[str]
    env: dict[str, str]
    is_interrupted_by_message: bool

    @property
    def name(self) -> str:
        """The kernel's name."""
        return os.path.basename(self.folder)

    def command(self, connection_file: str, more: Sequence[str] = ()) -> list[str]:
        """The command to run.

        Args:
            connection_file: what the kernel is to read.
            more: arguments that the front end has added.
        """
        prefix, python = _environment_of(self.folder)
        known = {"connection_file": connection_file, "prefix": prefix, "resource_dir": self.folder}
        argv = [*self.argv, *more]
        if ANY_PYTHON.fullmatch(argv[0]):
            argv[0] = python
        return [PLACEHOLDER.sub(lambda m: known.get(m[1], m[0]), word) for word in argv]

    def environment(self, before: Mapping[str, str]) -> dict[str, str]:
        """The kernel's environment: ours, and what the kernelspec adds to it."""
        if not any("$" in value for value in self.env.values()):
            return {**before, **self.env}
        from string import Template  # noqa: PLC0415 - few kernelspecs need it

        filled = {name: Template(value).safe_substitute(before) for name, value in self.env.items()}
        return {**before, **filled}


def fields_of(folder: str) -> dict[str, Any]:
    """What the kernel.json in a folder says, as it is.

    Raises:
        ConfigError: it can't be read, or is no JSON object.
    """
    path = os.path.join(folder, "kernel.json")
    try:
        with open(path, encoding="utf-8") as file:
            fields = json.load(file)
    except OSError as error:
        raise ConfigError(f"kernelspec {path!r}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"kernelspec {path!r} is not JSON") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"kernelspec {path!r} is not a JSON object")
    return fields


def read(folder: str) -> Original:
    """Read the kernelspec in a folder.

    Raises:
        ConfigError: it is missing, or starts no kernel by a command.
    """
    fields = fields_of(folder)
    argv, env = fields.get("argv"), fields.get("env") or {}
    if not _are_words(argv) or not argv:
        raise ConfigError(f"the kernelspec in {folder!r} has no argv, the command of its kernel")
    if not any("{connection_file}" in word for word in argv):
        raise ConfigError(f"the kernelspec in {folder!r} has an argv without {{connection_file}}")
    if not isinstance(env, dict) or not _are_words(list(env.values())):
        raise ConfigError(f"the kernelspec in {folder!r} has an env that is no object of texts")
    return Original(
        folder=folder,
        argv=argv,
        env=env,
        is_interrupted_by_message=fields.get("interrupt_mode") == "message",
    )


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _environment_of(folder: str) -> tuple[str, str]:
    """The prefix and the Python of the environment that a kernelspec was installed in.

    jupyter_client puts its own in the place of "python" and "{prefix}"; it is seldom another one,
    and then ours would be the wrong one.
    """
    parts = folder.split(os.sep)
    if tuple(parts[-4:-1]) == IN_PREFIX:
        prefix = os.sep.join(parts[:-4])
        python = os.path.join(prefix, "bin", "python")
        if os.access(python, os.X_OK):
            return prefix, python
    return sys.prefix, sys.executable
