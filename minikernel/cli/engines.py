"""The language engine that `--engine` names."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from minikernel.errors import ConfigError
from minikernel.interpreter.base import Failure, LanguageInfo


def engine(name: str) -> type[Any]:
    """Import the class that MODULE:CLASS names, from the working directory too.

    It is made like `PlainEngine`.

    Raises:
        ConfigError: there is no such module or class, or it has no `info`.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ConfigError(f"--engine {name!r}: write MODULE:CLASS")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as PythonEngine does; `python -m` has it already
    try:
        found: Any = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - the module is the user's code
        raise ConfigError(f"--engine {name!r}: {Failure.of(problem).line}") from None
    if not (isinstance(found, type) and isinstance(getattr(found, "info", None), LanguageInfo)):
        raise ConfigError(
            f"--engine {name!r}: that is not an engine, a class with a LanguageInfo `info`"
        )
    return found
