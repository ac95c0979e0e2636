"""What IPython did in 2011: the key goes with every message, in clear, and is compared.

It keeps out who has never heard a message, and nobody else; nothing of the message is covered.
What is sent is derived for this scheme (channel-hmac, section 1), so that who hears it can't make
Jupyter's signatures.
"""

from __future__ import annotations

import hmac
from binascii import hexlify
from typing import TYPE_CHECKING

from minikernel.auth.hkdf import extract
from minikernel.auth.keys import SecretKey
from minikernel.auth.scheme import KeyScheme
from minikernel.auth.spec import Spec, Traits
from minikernel.errors import BadSignature, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.auth.spec import Setup

NAME = "clear-key"
TRAITS = Traits(replay_memory=False, covers="none")
SALT = b"minikernel clear-key 1"


class ClearKey(KeyScheme):
    """Takes a message for authentic if it brings the key.

    Args:
        key: the connection file's key.

    Raises:
        ConfigError: an empty key.
    """

    name = NAME

    def __init__(self, key: SecretKey) -> None:
        if not key:
            raise ConfigError("the connection file has an empty key: put a random one in")
        self._sent = SecretKey(hexlify(extract(SALT, key.reveal())))

    def sign(self, frames: Sequence[bytes]) -> bytes:  # noqa: ARG002 - not covered by this scheme
        """The derived key in hex, the same on every message."""
        return self._sent.reveal()

    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:  # noqa: ARG002 - not covered by this scheme
        """See that somebody sent it who holds the key, or has heard it.

        Raises:
            BadSignature: it is not the key.
        """
        if not hmac.compare_digest(self._sent.reveal(), signature):
            raise BadSignature("the key does not match")


def _make(setup: Setup) -> ClearKey:
    return ClearKey(setup.key)


SPEC = Spec(TRAITS, _make, _make)
