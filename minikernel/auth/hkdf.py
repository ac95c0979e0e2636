"""HKDF with SHA-256 (RFC 5869)."""

from __future__ import annotations

import hmac

HASH_LENGTH = 32
MAX_BLOCKS = 255


def extract(salt: bytes, ikm: bytes) -> bytes:
    """PRK = HMAC-Hash(salt, IKM) (RFC 5869, section 2.2)."""
    return hmac.digest(salt, ikm, "sha256")


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """OKM of `length` bytes (RFC 5869, section 2.3).

    Raises:
        ValueError: more than 255 blocks are asked for.
    """
    blocks = -(-length // HASH_LENGTH)
    if blocks > MAX_BLOCKS:
        raise ValueError("HKDF gives at most 8160 bytes")
    block = okm = b""
    for i in range(1, blocks + 1):
        block = hmac.digest(prk, block + info + bytes([i]), "sha256")  # T(i)
        okm += block
    return okm[:length]
