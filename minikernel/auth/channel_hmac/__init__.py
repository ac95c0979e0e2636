"""The name and the traits of channel-hmac; either side is imported when it is made."""

from __future__ import annotations

from minikernel.auth.spec import Spec, Traits, lazily

NAME = "channel-hmac-sha256"
TRAITS = Traits(
    replay_memory=False,
    covers="all",
    digests=frozenset(),
    handshake=True,
    sessions=True,
    heartbeat=True,
    invitations=True,
)
SPEC = Spec(
    TRAITS,
    lazily("minikernel.auth.channel_hmac.kernel_side:make"),
    lazily("minikernel.auth.channel_hmac.client_side:make"),
    lazily("minikernel.auth.channel_hmac.keys:client_key"),
)
