"""What the holder of an invitation may do (channel-hmac, section 2)."""

from __future__ import annotations

import enum
import re

from minikernel.errors import ConfigError
from minikernel.wire.channels import COMMS

OWNER_ID = ""
OWNER_RIGHTS = 0xFFFFFFFF
CLIENT_ID = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Right(enum.IntFlag):
    """What the holder of an invitation may do (section 2); the names are the command line's."""

    OBSERVE = 1  # gets iopub tags
    EXECUTE = 2
    INTROSPECT = 4
    INPUT = 8  # works with execute only
    INTERRUPT = 16
    SHUTDOWN = 32
    COMMS = 64
    DEBUG = 128  # and subshells


ALL_RIGHTS = 0xFF
ALWAYS = frozenset({"bind_request", "kernel_info_request", "auth_status_request"})
# The right of a type that is not here, nor always allowed: execute, as the strongest.
REQUIRED: dict[str, int] = {
    "execute_request": Right.EXECUTE.value,
    "input_reply": (Right.INPUT | Right.EXECUTE).value,
    "interrupt_request": Right.INTERRUPT.value,
    "shutdown_request": Right.SHUTDOWN.value,
    **dict.fromkeys(COMMS, Right.COMMS.value),
    **dict.fromkeys(
        (
            "complete_request",
            "inspect_request",
            "is_complete_request",
            "history_request",
            "comm_info_request",
            "connect_request",
            "usage_request",
        ),
        Right.INTROSPECT.value,
    ),
    **dict.fromkeys(
        (
            "debug_request",
            "create_subshell_request",
            "delete_subshell_request",
            "list_subshell_request",
        ),
        Right.DEBUG.value,
    ),
}


def permits(rights: int, msg_type: str) -> bool:
    """Whether these rights allow a message of this type to the kernel."""
    if msg_type in ALWAYS:
        return True
    required = REQUIRED.get(msg_type, Right.EXECUTE.value)
    return rights & required == required


def parse_rights(text: str) -> int:
    """The bits of names such as "observe,execute".

    Raises:
        ConfigError: a name that no right has, or none at all.
    """
    rights = 0
    for name in text.split(","):
        right = Right.__members__.get(name.strip().upper())
        if right is None:
            known = ", ".join(known.lower() for known in Right.__members__)
            raise ConfigError(f"there is no right {name.strip()!r}; there are: {known}")
        rights |= right.value
    return rights


def is_client(client_id: str, rights: int) -> bool:
    """Whether it is the owner, or could be an invitation's id with rights (section 2)."""
    if client_id == OWNER_ID:
        return rights == OWNER_RIGHTS
    return bool(CLIENT_ID.fullmatch(client_id)) and 0 < rights <= ALL_RIGHTS
