"""Whatever comes in on shell, control and stdin, the kernel answers the next good request.

A signed message whose header names a request gets an error reply; any other is only counted.
Nothing is executed, and the terminal tells little and nothing of the sender's.
"""

from __future__ import annotations

import json
import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import RawClient, Seen

    Body = Callable[[RawClient], list[bytes]]  # makes header, parent, metadata, content, buffers

DELIMITER = b"<IDS|MSG>"
pytestmark = pytest.mark.usefixtures("quiet")


def execute() -> bytes:
    """A content that would leave a trace."""
    code = f"open('executed', 'a').write('{uuid.uuid4().hex}')"
    return json.dumps({"code": code, "silent": False}).encode()


def body(
    msg_type: Any = "execute_request",
    content: bytes | None = None,
    *buffers: bytes,
    parent: bytes = b"{}",
    metadata: bytes = b"{}",
    without: str = "",
    **header: Any,
) -> Body:
    def make(client: RawClient) -> list[bytes]:
        head = client.header(msg_type, **header)
        head.pop(without, None)
        filled = execute() if content is None else content
        return [json.dumps(head).encode(), parent, metadata, filled, *buffers]

    return make


def headed(change: Callable[[bytes], bytes]) -> Body:
    """The header's JSON changed as text."""

    def make(client: RawClient) -> list[bytes]:
        header = json.dumps(client.header("execute_request")).encode()
        return [change(header), b"{}", b"{}", execute()]

    return make


DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_OBJECTS = {
    "empty": b"",
    "a space": b" ",
    "zero bytes": bytes(8),
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a string": b'"{}"',
    "a list": b"[{}]",
    "not JSON": b"execute",
    "cut": b'{"code": "1"',
    "an object and a bracket": b"{}}",
    "two objects": b"{}{}",
    "a zero byte after": b"{}\0",
    "single quotes": b"{'code': '1'}",
    "a key without quotes": b'{code: "1"}',
    "a trailing comma": b'{"code": "1",}',
    "a comment": b'{"code": "1"} // see',
    "a control character": b'{"code": "\x01"}',
    "a byte order mark": b'\xef\xbb\xbf{"code": "1"}',
    "UTF-16": '{"code": "1"}'.encode("utf-16"),
    "not UTF-8": b"\xff\xfe\xfd",
    "pickle": b"\x80\x04\x95.",
    "msgpack": b"\x81\xa4code\xa11",
    "deep list": DEEP,
    "deep object": b'{"code":' * 100_000 + b"1" + b"}" * 100_000,
    "deep, never closed": b"[" * 500_000,
    "an object with a deep list": b'{"code":"1","x":' + DEEP + b"}",
    "a number of 5,000 digits": b'{"code":"1","x":' + b"1" * 5000 + b"e}",
    "900 kB": b"x" * 900_000,
}
BODIES: dict[str, Body] = {}
for name, frame in NOT_OBJECTS.items():
    BODIES[f"header: {name}"] = headed(lambda _, frame=frame: frame)
    BODIES[f"content: {name}"] = body(content=frame)
    if frame != b"null":  # legal there
        BODIES[f"parent: {name}"] = body(parent=frame)
        BODIES[f"metadata: {name}"] = body(metadata=frame)
for field in ("msg_id", "msg_type", "session", "username", "date", "version"):
    for kind, value in {
        "a number": 5,
        "a float": 0.5,
        "true": True,
        "a list": ["x_request"],
        "an object": {"x": "y_request"},
        "NaN": math.nan,
        "a number of 40 digits": 10**40,
        **({"null": None} if field in {"msg_id", "msg_type", "session"} else {}),
    }.items():
        BODIES[f"header: {field} is {kind}"] = body(**{field: value})
BODIES |= {
    "header: no msg_id": body(without="msg_id"),
    "header: no msg_type": body(without="msg_type"),
    "header: nothing in it": headed(lambda _: b"{}"),
    "header: a second, wrong msg_id": headed(lambda h: h[:-1] + b', "msg_id": 5}'),
    "header: a second, wrong msg_type": headed(lambda h: h[:-1] + b', "msg_type": null}'),
    "header: a session of a wrong type, not UTF-8": headed(
        lambda h: h[:-1] + b', "session": 5, "x": "\xff"}'
    ),
}
TYPES = {
    "empty": "",
    "_request": "_request",
    "_reply": "_reply",
    "request": "request",
    "a reply": "execute_reply",
    "an output": "stream",
    "a status": "status",
    "a welcome": "iopub_welcome",
    "an input_request": "input_request",
    "a request with a space after": "execute_request ",
    "upper case": "EXECUTE_REQUEST",
    "unknown": "no_such_request",
    "with a space": "x y_request",
    "with quotes": 'x","session":"me_request',
    "with a backslash": "x\\_request",
    "with control characters": "\x00\x1b[31m\r\n_request",
    "not ASCII": "größe_request",
    "a lone surrogate": "\ud800_request",
    "astral": "\U0001f600_request",
    "a dunder": "__class___request",
    "a path": "../../execute_request",
    "a format": "%s{0}_request",
    "100 kB": "x" * 100_000 + "_request",
    "100 kB of quotes": '"' * 100_000 + "_request",
    "a reply to a reply": "execute_reply_request",
    "twice": "execute_request_request",
}
BODIES |= {f"type: {name}": body(msg_type) for name, msg_type in TYPES.items()}

TEXT = (5, True, ["1"], {"a": 1}, None)
OPTIONAL_TEXT = TEXT[:-1]
FLAG = (1, "true", [], None)
NUMBER = ("1", 1.5, [1], True, math.nan)
FIELDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "execute_request": {
        "code": TEXT,
        "silent": FLAG,
        "store_history": FLAG,
        "user_expressions": (5, "1", [], {"a": 1}, {"a": None}),
        "allow_stdin": FLAG,
        "stop_on_error": FLAG,
    },
    "complete_request": {"code": TEXT, "cursor_pos": NUMBER},
    "inspect_request": {"code": TEXT, "cursor_pos": NUMBER, "detail_level": NUMBER},
    "history_request": {
        "hist_access_type": TEXT,
        "output": FLAG,
        "raw": FLAG,
        "session": NUMBER,
        "start": NUMBER,
        "stop": NUMBER,
        "n": NUMBER,
        "pattern": OPTIONAL_TEXT,
        "unique": FLAG,
    },
    "is_complete_request": {"code": TEXT},
    "comm_info_request": {"target_name": OPTIONAL_TEXT},
    "shutdown_request": {"restart": FLAG},
    "input_reply": {"value": TEXT},
}
WITH_CODE = {"execute_request", "complete_request", "inspect_request", "is_complete_request"}
for msg_type, fields in FIELDS.items():
    base = {"code": "open('executed', 'a')"} if msg_type in WITH_CODE else {}
    for field, values in fields.items():
        for value in values:
            content = json.dumps({**base, field: value}).encode()
            BODIES[f"{msg_type}: {field} is {value!r}"] = body(msg_type, content)
    if msg_type in WITH_CODE | {"input_reply"}:
        BODIES[f"{msg_type}: nothing in it"] = body(msg_type, b"{}")
SURROGATES = {"alone": "\\ud800", "swapped": "\\ude00\\ud83d", "last": "code\\udfff"}
for name, text in SURROGATES.items():
    field = f'"{text}": 1'.encode()
    BODIES[f"header: a surrogate {name} in a name"] = headed(
        lambda h, field=field: h[:-1] + b", " + field + b"}"
    )
    for msg_type in FIELDS:
        BODIES[f"{msg_type}: a surrogate {name} in a name"] = body(
            msg_type, execute()[:-1] + b", " + field + b"}"
        )
BODIES["input_reply: not asked"] = body("input_reply", b'{"value": "1"}')


@pytest.mark.parametrize("name", BODIES)
def test_without_a_signature_it_is_only_counted(seen: Seen, name: str) -> None:
    frames = BODIES[name](seen.sender)
    seen.send([DELIMITER, b"", *frames])
    assert (seen.replies, seen.outputs) == ([], [])
    assert seen.counted() == {"bad signature": 1}


@pytest.mark.parametrize("name", BODIES)
def test_with_a_signature_a_request_is_answered(seen: Seen, name: str) -> None:
    frames = BODIES[name](seen.sender)
    seen.send(seen.sender.sign(*frames))
    header = request_header(frames[0])
    if header is None:
        assert (seen.replies, seen.outputs) == ([], [])
        assert sum(seen.counted().values()) == 1
        return
    assert [m["parent_header"] for m in seen.replies] == [header]
    (reply,) = seen.replies
    assert reply["header"]["msg_type"] == header["msg_type"].removesuffix("_request") + "_reply"
    assert reply["content"]["status"] == "error"
    assert reply["content"]["ename"]
    assert reply["content"]["evalue"]
    assert [m["content"] for m in seen.outputs] == [
        {"execution_state": "busy"},
        {"execution_state": "idle"},
    ]
    assert all(m["parent_header"] == header for m in seen.outputs)


DEPTHS = [300, 330, 480, 495, 600, 700, 950, 985, 995, 1100]  # some decoders fail at some of them


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("beside", ['"date": 5', '"s": "\\ud800"', '"n": NaN', '"n": 1'])
def test_a_deep_header_is_answered_or_counted(seen: Seen, depth: int, beside: str) -> None:
    deep = f', {beside}, "x": {"[" * depth}"\\ud800"{"]" * depth}}}'.encode()
    (frames,) = [headed(lambda header: header[:-1] + deep)(seen.sender)]
    frames[0] = frames[0].replace(b"execute_request", b"no_such_request")
    seen.send(seen.sender.sign(*frames))
    assert [m["content"]["status"] for m in seen.replies] in ([], ["error"])


def request_header(frame: bytes) -> dict[str, Any] | None:
    """The header, as an answer repeats it, if it names a request."""
    try:
        header = json.loads(frame.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or not str(header.get("msg_type")).endswith("_request"):
        return None
    return repeated(header) if isinstance(header["msg_type"], str) else None


def repeated(value: Any) -> Any:
    """NaN becomes null, and a lone surrogate a question mark."""
    if isinstance(value, dict):
        return {repeated(k): repeated(v) for k, v in value.items()}
    if isinstance(value, list):
        return [repeated(v) for v in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and math.isnan(value) else value
