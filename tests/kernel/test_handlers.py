"""The table of handlers: which request has one, and on which channel."""

from __future__ import annotations

import pytest

from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.kernel.handlers import HANDLERS
from minikernel.wire.channels import CONTROL_REQUESTS, Channel, Role, may_carry
from minikernel.wire.content import REQUESTS

HANDSHAKES = KernelChannelHmac.own_types  # are the connection's
NOT_SUPPORTED = {
    "create_subshell_request",
    "debug_request",
    "delete_subshell_request",
    "list_subshell_request",
    "usage_request",
}


@pytest.mark.parametrize("msg_type", sorted(REQUESTS.keys() - {"input_reply"} - HANDSHAKES))
def test_what_has_a_content_has_a_handler(msg_type: str) -> None:
    on = {channel for channel, name in HANDLERS if name == msg_type}
    assert on
    assert on <= {Channel.SHELL, Channel.CONTROL}


def test_what_may_come_on_control_has_a_handler_there() -> None:
    on_control = {name for channel, name in HANDLERS if channel is Channel.CONTROL}
    assert CONTROL_REQUESTS - on_control == NOT_SUPPORTED


def test_what_may_come_nowhere_has_none() -> None:
    types = {name for _, name in HANDLERS}
    channels = (Channel.SHELL, Channel.CONTROL)
    assert all(any(may_carry(c, Role.KERNEL, name) for c in channels) for name in types)
