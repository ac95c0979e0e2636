"""The seam between the wire and who said it: a scheme owns one frame, the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.wire.channels import Channel


class Peer(NamedTuple):
    """Who sent a message, as far as the scheme can tell."""

    session: str | None  # None: a holder of the key, no more can be said
    route: tuple[bytes, ...]  # the identities that lead back to it


class Scheme(Protocol):
    """One end's side of a signature scheme, for all its channels."""

    name: str

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Sequence[bytes]) -> bytes:
        """The signature frame of a message to `to` (identities; on iopub the topic)."""

    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Sequence[bytes]
    ) -> Peer:
        """Who sent these frames.

        Check, verify, mark: nothing changes before the signature has verified.

        Raises:
            AuthError: nobody who may, or not now.
        """
