"""The five channels of a kernel and what each may carry (messaging spec, "Introduction")."""

from __future__ import annotations

import enum


class Channel(enum.Enum):
    """One of a kernel's five sockets; the value is its name in the messaging spec."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and channels are keys everywhere

    SHELL = "shell"
    CONTROL = "control"
    STDIN = "stdin"
    IOPUB = "iopub"
    HEARTBEAT = "hb"


class Role(enum.Enum):
    """Which end of a channel."""

    KERNEL = "kernel"
    CLIENT = "client"


CONTROL_REQUESTS = frozenset(
    {
        "auth_status_request",
        "create_subshell_request",
        "debug_request",
        "delete_subshell_request",
        "interrupt_request",
        "kernel_info_request",
        "list_subshell_request",
        "shutdown_request",
        "usage_request",
    }
)
# Also sent on shell: by every client (kernel_info), by clients older than protocol 5.4 (shutdown).
ALSO_ON_SHELL = frozenset({"kernel_info_request", "shutdown_request"})
SHELL_REQUESTS = frozenset(
    {
        "comm_info_request",
        "complete_request",
        "execute_request",
        "history_request",
        "inspect_request",
        "is_complete_request",
    }
)
INTERRUPT = "interrupt_request"
COMMS = frozenset({"comm_open", "comm_msg", "comm_close"})


def may_carry(channel: Channel, receiver: Role, msg_type: str) -> bool:
    """Whether a message of this type may come to `receiver` on `channel`.

    Unknown requests pass on shell, and unknown outputs on iopub, because the spec asks both sides
    to tolerate types that they don't know; a type that is known to belong elsewhere does not.
    """
    if receiver is Role.CLIENT:
        return _may_carry_to_client(channel, msg_type)
    if channel is Channel.SHELL:
        if msg_type in COMMS or msg_type in ALSO_ON_SHELL:
            return True
        return msg_type.endswith("_request") and msg_type not in CONTROL_REQUESTS
    if channel is Channel.CONTROL:
        return msg_type in CONTROL_REQUESTS
    return channel is Channel.STDIN and msg_type == "input_reply"


def may_pass(channel: Channel, msg_type: str) -> bool:
    """Whether a message of this type may be passed on to a kernel of another make.

    What is known to belong elsewhere may not; what nobody here knows is between its sender and that
    kernel. Clients of before December 2025 say on shell that they want to interrupt.
    """
    if channel is Channel.CONTROL:
        return msg_type.endswith("_request") and msg_type not in SHELL_REQUESTS
    if channel is Channel.SHELL and msg_type == INTERRUPT:
        return True
    return may_carry(channel, Role.KERNEL, msg_type)


def _may_carry_to_client(channel: Channel, msg_type: str) -> bool:
    if channel is Channel.IOPUB:
        return not msg_type.endswith("_request")
    if channel is Channel.STDIN:
        return msg_type == "input_request"
    return msg_type.endswith("_reply")
