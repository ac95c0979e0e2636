"""Events of a trace, for what draws them."""

from __future__ import annotations

from minikernel import TraceEvent

DELIMITER = b"<IDS|MSG>"
JSON = [b'{"header": 1}', b"{}", b"{}", b'{"code": "1"}']


def event(**changes: object) -> TraceEvent:
    fields = {
        "channel": "shell",
        "direction": "sent",
        "msg_type": "execute_request",
        "size": 3,
        "verdict": "ok",
        "frames": [DELIMITER, b"0" * 64, *JSON],
    }
    return TraceEvent(**{**fields, **changes})  # type: ignore[arg-type] # what a test wants
