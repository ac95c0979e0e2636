"""The contents of requests that a kernel takes, and of every message that it sends.

Field names, defaults and meaning: messaging spec, "Messages on the shell ... channel".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from minikernel.wire.message import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExecuteRequest(msgspec.Struct, frozen=True):
    """Run a cell."""

    code: str
    silent: bool = False
    store_history: bool = True
    user_expressions: dict[str, str] | None = None
    allow_stdin: bool = True
    stop_on_error: bool = True


class CompleteRequest(msgspec.Struct, frozen=True):
    """What could be at the cursor; the cursor counts Unicode code points."""

    code: str
    cursor_pos: int | None = None


class InspectRequest(msgspec.Struct, frozen=True):
    """What is the name at the cursor."""

    code: str
    cursor_pos: int | None = None
    detail_level: int = 0


class HistoryRequest(msgspec.Struct, frozen=True):
    """Past cells."""

    hist_access_type: str = "tail"
    output: bool = False
    raw: bool = True
    session: int | None = 0
    start: int | None = 0
    stop: int | None = None
    n: int | None = None
    pattern: str | None = "*"
    unique: bool = False


class IsCompleteRequest(msgspec.Struct, frozen=True):
    """Whether this cell can run as it is."""

    code: str


class CommInfoRequest(msgspec.Struct, frozen=True):
    """Which comms are open."""

    target_name: str | None = None


class ShutdownRequest(msgspec.Struct, frozen=True):
    """End, perhaps to be started again."""

    restart: bool = False


class InputReply(msgspec.Struct, frozen=True):
    """The line that the user typed."""

    value: str


class BindRequest(msgspec.Struct, frozen=True):
    """Here I am (channel-hmac, section 3); on control perhaps in place of an older session."""

    replaces: str | None = None
    leaves: bool = False  # goodbye instead; gets no reply


REQUESTS: dict[str, type] = {
    "bind_request": BindRequest,
    "execute_request": ExecuteRequest,
    "complete_request": CompleteRequest,
    "inspect_request": InspectRequest,
    "history_request": HistoryRequest,
    "is_complete_request": IsCompleteRequest,
    "comm_info_request": CommInfoRequest,
    "shutdown_request": ShutdownRequest,
    "input_reply": InputReply,
}

BUSY = b'{"execution_state":"busy"}'
IDLE = b'{"execution_state":"idle"}'
STARTING = b'{"execution_state":"starting"}'


def error(ename: str, evalue: str, traceback: list[str] | None = None) -> dict[str, Any]:
    """An error reply, or with a traceback the content of an `error` on iopub."""
    return {"status": "error", "ename": ename, "evalue": evalue, "traceback": traceback or []}


def reply_type(request_type: str) -> bytes:
    """`execute_request` -> `execute_reply`, escaped: it goes into a header's JSON as it is."""
    return dumps(request_type.removesuffix("_request") + "_reply")[1:-1]


def ok(**fields: object) -> Mapping[str, object]:
    """A reply that all went well."""
    return {"status": "ok", **fields}
