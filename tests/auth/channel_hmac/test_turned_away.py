"""Section 3 as a client sees it: a kernel that has no place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.client_side import ClientChannelHmac
from minikernel.auth.channel_hmac.frames import DATA_CHANNELS
from minikernel.auth.rights import OWNER_RIGHTS
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from conftest import Stage, Visitor

REFUSED = {"status": "error", "evalue": "no place"}


def greet(stage: Stage, scheme: ClientChannelHmac, now: float) -> Address:
    """HELLO and CHALLENGE; who the kernel is then."""
    scheme.renew(now)
    (greeting,) = scheme.due(now)
    challenge = stage.kernel.hello(greeting.frame, stage.now)  # type: ignore[union-attr]
    scheme.greet(Channel.CONTROL, challenge, ())
    scheme.due(now)
    candidate = scheme._end.candidate
    assert candidate is not None
    return Address((), candidate.id.hex())


def test_a_client_that_was_turned_away_shakes_hands_again(stage: Stage) -> None:
    visitor: Visitor = stage.owner()
    scheme = ClientChannelHmac(visitor.end, OWNER_RIGHTS)
    kernel = greet(stage, scheme, 0.0)
    scheme.take(Channel.CONTROL, kernel, "bind_reply", {"status": "ok"})
    scheme.due(0.0)
    scheme.take(Channel.IOPUB, kernel, "iopub_welcome", {})
    assert all(scheme.is_ready(channel) for channel in DATA_CHANNELS)
    kernel = greet(stage, scheme, 1.0)  # the kernel knows the session before no more
    scheme.take(Channel.CONTROL, kernel, "bind_reply", REFUSED)
    assert scheme.refusal == "no place"
    assert not any(scheme.is_ready(channel) for channel in DATA_CHANNELS)
    kernel = greet(stage, scheme, 2.0)
    assert scheme.refusal is None
    scheme.take(Channel.CONTROL, kernel, "bind_reply", {"status": "ok"})
    scheme.due(2.0)
    scheme.take(Channel.IOPUB, kernel, "iopub_welcome", {})
    assert all(scheme.is_ready(channel) for channel in DATA_CHANNELS)
