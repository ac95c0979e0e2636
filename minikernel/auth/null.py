"""No authentication: what Jupyter calls an empty key. Only when asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.scheme import Peer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.wire.channels import Channel


class Null:
    """Takes every message for authentic."""

    name = "null"

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Sequence[bytes]) -> bytes:  # noqa: ARG002 - the seam's signature
        """Nothing."""
        return b""

    def open(
        self,
        channel: Channel,  # noqa: ARG002
        signature: bytes,  # noqa: ARG002
        frames: Sequence[bytes],  # noqa: ARG002
        route: Sequence[bytes],
    ) -> Peer:
        """Anybody."""
        return Peer(None, tuple(route))
