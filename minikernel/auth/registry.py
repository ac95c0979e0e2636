"""From the `signature_scheme` of a connection file to the scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.clear_key import ClearKey
from minikernel.auth.jupyter_hmac import PREFIX, JupyterHmac
from minikernel.auth.null import Null
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.auth.keys import SecretKey
    from minikernel.auth.replay_memory import ReplayMemory
    from minikernel.auth.scheme import Scheme

    Factory = Callable[[SecretKey, str, ReplayMemory | None], Scheme]

NULL = "null"
DEFAULT = "hmac-sha256"
CHANNEL_HMAC = "channel-hmac-sha256"
CHALLENGE_ONCE = "challenge-once"
WITH_SESSIONS = frozenset({CHANNEL_HMAC})
WEAK = frozenset({"hmac-md5", "hmac-sha1"})  # broken hashes; HMAC with them is not, yet


def _null(key: SecretKey, name: str, memory: ReplayMemory | None) -> Scheme:  # noqa: ARG001 - the factory's signature
    if key:
        raise ConfigError("--scheme null needs a connection file with an empty key")
    return Null()


def _clear_key(key: SecretKey, name: str, memory: ReplayMemory | None) -> Scheme:  # noqa: ARG001 - likewise
    return ClearKey(key)


SCHEMES: dict[str, Factory] = {NULL: _null, ClearKey.name: _clear_key, PREFIX: JupyterHmac}


def is_stock(name: str) -> bool:
    """Whether any Jupyter client can speak this scheme, or only ours."""
    return name == NULL or name.startswith(PREFIX)


def create(name: str, key: SecretKey, memory: ReplayMemory | None = None) -> Scheme:
    """The scheme of this name, for schemes that are the same at both ends.

    Args:
        name: `signature_scheme` of the connection file, or "null".
        key: its key.
        memory: what was accepted before, for schemes that have no counters.

    Raises:
        ConfigError: the scheme is unknown or refuses the key.
    """
    factory = SCHEMES.get(PREFIX if name.startswith(PREFIX) else name)
    if factory is None:
        known = ", ".join(sorted({*SCHEMES, DEFAULT, CHALLENGE_ONCE, *WITH_SESSIONS} - {PREFIX}))
        raise ConfigError(f"unknown signature_scheme {name!r}; there are: {known}")
    return factory(key, name, memory)


def check(name: str, key: SecretKey) -> None:
    """See that a kernel could run this scheme with this key. Raises ConfigError."""
    if name in WITH_SESSIONS:
        from minikernel.auth.channel_hmac_keys import Master  # noqa: PLC0415 - few kernels need it

        Master(key)
    elif name == CHALLENGE_ONCE:
        from minikernel.auth.challenge_once import challenge_key  # noqa: PLC0415 - likewise

        challenge_key(key)
    else:
        create(name, key)
