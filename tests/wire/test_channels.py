from __future__ import annotations

import pytest

from minikernel.wire.channels import Channel, Role, may_carry, may_pass

TO_KERNEL = {
    "execute_request": {Channel.SHELL},
    "complete_request": {Channel.SHELL},
    "comm_msg": {Channel.SHELL},
    "a_request_nobody_knows_request": {Channel.SHELL},
    "kernel_info_request": {Channel.SHELL, Channel.CONTROL},
    "shutdown_request": {Channel.SHELL, Channel.CONTROL},
    "interrupt_request": {Channel.CONTROL},
    "auth_status_request": {Channel.CONTROL},
    "debug_request": {Channel.CONTROL},
    "input_reply": {Channel.STDIN},
    "execute_reply": set(),
    "status": set(),
    "": set(),
}


@pytest.mark.parametrize(("msg_type", "channels"), TO_KERNEL.items())
def test_what_a_kernel_takes(msg_type: str, channels: set[Channel]) -> None:
    assert {c for c in Channel if may_carry(c, Role.KERNEL, msg_type)} == channels


@pytest.mark.parametrize(
    ("channel", "msg_type", "carried"),
    [
        (Channel.IOPUB, "stream", True),
        (Channel.IOPUB, "an_output_nobody_knows", True),
        (Channel.IOPUB, "shutdown_reply", True),
        (Channel.IOPUB, "execute_request", False),
        (Channel.SHELL, "execute_reply", True),
        (Channel.SHELL, "stream", False),
        (Channel.CONTROL, "shutdown_reply", True),
        (Channel.STDIN, "input_request", True),
        (Channel.STDIN, "input_reply", False),
    ],
)
def test_what_a_client_takes(channel: Channel, msg_type: str, carried: bool) -> None:
    assert may_carry(channel, Role.CLIENT, msg_type) is carried


@pytest.mark.parametrize(
    ("msg_type", "channels"),
    [
        ("execute_request", {Channel.SHELL}),
        ("interrupt_request", {Channel.SHELL, Channel.CONTROL}),
        ("debug_request", {Channel.CONTROL}),
        ("a_request_nobody_knows_request", {Channel.SHELL, Channel.CONTROL}),
        ("shutdown_request", {Channel.SHELL, Channel.CONTROL}),
        ("comm_msg", {Channel.SHELL}),
        ("input_reply", {Channel.STDIN}),
        ("stream", set()),
    ],
)
def test_what_passes_to_any_kernel(msg_type: str, channels: set[Channel]) -> None:
    assert {c for c in Channel if may_pass(c, msg_type)} == channels
