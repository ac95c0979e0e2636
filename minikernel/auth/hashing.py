"""Feeding a hash or an HMAC with the parts of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGE = 1 << 16  # bytes from which on a copy costs more than a call for each part


class Digest(Protocol):
    """A hash of hashlib, or an HMAC."""

    def update(self, data: bytes, /) -> object:
        """Feed it."""


def feed(digest: Digest, parts: Sequence[bytes]) -> None:
    """Hash these bytes one after the other; large ones are not copied into one piece first.

    A message is hashed before anybody knows whose it is, and may be as large as its channel allows.
    """
    if sum(map(len, parts)) < LARGE:
        digest.update(b"".join(parts))
        return
    for part in parts:
        digest.update(part)
