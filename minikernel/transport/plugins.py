"""Signature schemes that an installed package brings; none is found in the working directory.

Entry points of the group `minikernel.schemes`, each a `Spec`. They are looked up only for a name
that the table of built-in schemes lacks, so no package can take one over.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from minikernel.auth import registry
from minikernel.auth.spec import Spec
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "minikernel.schemes"


def find(name: str) -> Spec:
    """The scheme of this name: one of the table, or else one that a package brings.

    Raises:
        ConfigError: there is none, or it can't be imported.
    """
    if registry.knows(name):
        return registry.find(name)
    path = _elsewhere()
    found = _entries(name, path)
    if not found:
        return registry.find(name)  # says which there are
    if len(found) > 1:
        raise ConfigError(f"several packages bring a signature_scheme {name!r}")
    spec = registry.SCHEMES[name] = _load(name, found[0], path)
    return spec


def _elsewhere() -> list[str]:
    """sys.path without the working directory, by whatever name."""
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109 - pathlib is an import more
    except OSError:  # it was removed
        here = ""
    return [entry for entry in sys.path if os.path.isabs(entry) and os.path.realpath(entry) != here]  # noqa: PTH117 - as above


def _entries(name: str, path: list[str]) -> list[EntryPoint]:
    from importlib.metadata import distributions  # most kernels need no package

    entries = [e for found in distributions(path=path) for e in found.entry_points]
    return list({e.value: e for e in entries if (e.group, e.name) == (GROUP, name)}.values())


def _load(name: str, entry: EntryPoint, path: list[str]) -> Spec:
    whole, sys.path[:] = sys.path[:], path
    try:
        spec = entry.load()
    except Exception as problem:  # noqa: BLE001 - a package of somebody else's
        raise ConfigError(f"signature_scheme {name!r}: {entry.value} fails: {problem!r}") from None
    finally:
        sys.path[:] = whole
    if not isinstance(spec, Spec):
        raise ConfigError(f"signature_scheme {name!r}: {entry.value} is no Spec")
    return spec
