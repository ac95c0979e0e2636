"""Jupyter's own scheme: an HMAC (RFC 2104) over the four JSON frames, in lower-case hex.

One key for everybody, every channel and both directions; buffers, identities and order are not
covered (messaging spec, "The Wire Protocol").
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import hexlify
from typing import TYPE_CHECKING

from minikernel.auth.hashing import feed
from minikernel.auth.replay_memory import DIGEST_LENGTH, ReplayMemory
from minikernel.auth.scheme import KeyScheme
from minikernel.auth.spec import Spec, Traits
from minikernel.errors import BadSignature, ConfigError
from minikernel.wire.frames import JSON_FRAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.auth.keys import SecretKey
    from minikernel.auth.spec import Setup

PREFIX = "hmac-"
TRAITS = Traits(replay_memory=True, stock=True)
HASHES = frozenset(h for h in hashlib.algorithms_guaranteed if not h.startswith("shake"))


class JupyterHmac(KeyScheme):
    """Signs and verifies with the key of a connection file.

    Args:
        key: the connection file's key.
        name: `signature_scheme`, "hmac-" and a hash of fixed size.
        memory: what was accepted before; None: the bare specification, replays pass.

    Raises:
        ConfigError: an empty key, or a hash that hashlib doesn't guarantee.
    """

    def __init__(
        self, key: SecretKey, name: str = "hmac-sha256", memory: ReplayMemory | None = None
    ) -> None:
        if not key:
            raise ConfigError(
                "the connection file has an empty key: put a random one in, or ask for"
                " unauthenticated messages with --scheme null"
            )
        self.name = name
        self._keyed = hmac.new(key.reveal(), digestmod=_hash_of(name))  # copied for each message
        self._length = 2 * self._keyed.digest_size  # of a signature, in hex
        self._memory = memory

    def sign(self, frames: Sequence[bytes]) -> bytes:
        """The HMAC in hex."""
        return hexlify(self._digest(frames))

    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:
        """See that a holder of the key sent these frames, and not before.

        What is remembered is our own digest and not the peer's frame, of which there could be
        several spellings.

        Raises:
            BadSignature: not the HMAC of these frames in lower-case hex.
            Replayed: it is, and was accepted before.
        """
        if len(signature) != self._length:  # before the work of a message of 256 MiB
            raise BadSignature("the signature has another length")
        digest = self._digest(frames)
        if not hmac.compare_digest(hexlify(digest), signature):
            raise BadSignature("the signature does not match")
        if self._memory is not None:
            self._memory.admit(digest[:DIGEST_LENGTH])

    def _digest(self, frames: Sequence[bytes]) -> bytes:
        mac = self._keyed.copy()
        feed(mac, frames[:JSON_FRAMES])
        return mac.digest()


def _hash_of(name: str) -> str:
    hash_name = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or hash_name not in HASHES:
        raise ConfigError(f"unknown signature_scheme {name!r}; hmac-sha256 is the usual one")
    return hash_name


def _make(setup: Setup) -> JupyterHmac:
    return JupyterHmac(setup.key, setup.name, setup.memory)


SPEC = Spec(TRAITS, _make, _make)
