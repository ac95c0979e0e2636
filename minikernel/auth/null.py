"""No authentication: what Jupyter calls an empty key. Only when asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.scheme import KeyScheme
from minikernel.auth.spec import Spec, Traits
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.auth.spec import Setup

NAME = "null"
TRAITS = Traits(replay_memory=False, covers="none", stock=True, keyless=True)


class Null(KeyScheme):
    """Takes every message for authentic."""

    name = NAME

    def sign(self, frames: Sequence[bytes]) -> bytes:  # noqa: ARG002 - nothing is covered
        """Nothing."""
        return b""

    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:
        """Anybody may say anything."""


def _make(setup: Setup) -> Null:
    if setup.key:
        raise ConfigError(f"--scheme {NAME} needs a connection file with an empty key")
    return Null()


SPEC = Spec(TRAITS, _make, _make)
