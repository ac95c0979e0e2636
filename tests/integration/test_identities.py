"""Under Jupyter's scheme a client that reconnects under its identity gets what is meant for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import zmq

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_who_comes_under_a_known_identity_takes_over(
    start_kernel: Callable[..., Any], connect: Callable[..., Any], channel: str
) -> None:
    """Its earlier connection may be dead without a word: ROUTER_HANDOVER must be 1."""
    raw = connect(start_kernel())
    assert raw.request(getattr(raw, channel), "kernel_info_request")["status"] == "ok"
    with raw.connect(zmq.DEALER, channel) as again:
        assert raw.request(again, "kernel_info_request")["status"] == "ok"
