"""From the `signature_scheme` of a connection file to the scheme."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from minikernel.auth.scheme import KeyScheme
from minikernel.auth.spec import Setup, Spec
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from minikernel.auth.keys import SecretKey
    from minikernel.auth.replay_memory import ReplayMemory

DEFAULT = "hmac-sha256"
# What the lab calls them; both names are taken wherever a person or a program names a scheme.
ALIASES = {"jupyter-hmac": DEFAULT, "channel-hmac": "channel-hmac-sha256"}
FAMILY = "hmac-"  # one row for all names that begin so
WEAK = frozenset({"hmac-md5", "hmac-sha1"})  # broken hashes; HMAC with them is not, yet

SCHEMES: dict[str, str | Spec] = {
    "null": "minikernel.auth.null",
    "clear-key": "minikernel.auth.clear_key",
    "challenge-once": "minikernel.auth.challenge_once",
    FAMILY: "minikernel.auth.jupyter_hmac",
    "channel-hmac-sha256": "minikernel.auth.channel_hmac",
}
"""Name -> the scheme, or the module that has it as `SPEC`, imported when it is looked up."""


def canonical(name: str) -> str:
    """The name for connection files, of one that may be an alias."""
    return ALIASES.get(name, name)


def find(name: str) -> Spec:
    """The scheme of this name.

    Raises:
        ConfigError: there is none.
    """
    row = _row(name)
    if row is None:
        known = ", ".join(sorted({*SCHEMES, DEFAULT} - {FAMILY}))
        raise ConfigError(f"unknown signature_scheme {name!r}; there are: {known}, and packages'")
    spec: Spec = import_module(row).SPEC if isinstance(row, str) else row
    return spec._replace(traits=replace(spec.traits, weak=True)) if name in WEAK else spec


def knows(name: str) -> bool:
    """Whether the table has a scheme of this name."""
    return _row(name) is not None


def _row(name: str) -> str | Spec | None:
    return SCHEMES.get(FAMILY if name.startswith(FAMILY) else name)


def check(name: str, key: SecretKey) -> None:
    """See that a client could speak this scheme with this key. Raises ConfigError."""
    find(name).client(Setup(name, key, entropy=bytes))  # nothing is sent


def create(name: str, key: SecretKey, memory: ReplayMemory | None = None) -> KeyScheme:
    """The scheme of this name, for schemes that are the same at both ends.

    Args:
        name: `signature_scheme` of the connection file, or "null".
        key: its key.
        memory: what was accepted before, for schemes that have no counters.

    Raises:
        ConfigError: the scheme is unknown, is none of these, or refuses the key.
    """
    spec = find(name)
    if spec.traits.handshake:
        raise ConfigError(f"{name} is not the same at both ends")
    side = spec.client(Setup(name, key, entropy=bytes, memory=memory))
    assert isinstance(side, KeyScheme)  # noqa: S101 - those without a handshake are
    return side
