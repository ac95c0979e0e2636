"""Odd JSON and odd frames from a seed: what the fuzzers of tests/integration and others send."""

from __future__ import annotations

import json
import random
from typing import Any

Random = random.Random
FIELDS = {
    "execute_request": {"code": '"1"', "user_expressions": "{}", "silent": "true"},
    "complete_request": {"code": '"pri"', "cursor_pos": "3"},
    "inspect_request": {"code": '"print"', "cursor_pos": "3", "detail_level": "1"},
    "is_complete_request": {"code": '"1"'},
    "history_request": {"hist_access_type": '"tail"', "n": "3", "session": "0", "pattern": '"*"'},
    "comm_info_request": {"target_name": '"x"'},
    "comm_open": {"comm_id": '"1"', "target_name": '"x"', "data": "{}"},
    "comm_msg": {"comm_id": '"1"', "data": "{}"},
    "comm_close": {"comm_id": '"1"', "data": "{}"},
    "kernel_info_request": {},
    "connect_request": {},
    "bind_request": {"replaces": '"0011223344556677"', "leaves": "false"},
    "auth_status_request": {},
    "debug_request": {"seq": "1", "command": '"attach"'},
    "input_reply": {"value": '"x"'},
    "iopub_welcome": {"subscription": '""'},
}
TEXTS = [
    b"",
    b"x",
    b"\\ud800",
    b"\\ude00\\ud83d",
    b"a\\udfff",
    b"\\u0000",
    b"\\u001b[31m\\r\\n",
    b"\\\\",
    b'\\"',
    "größe\U0001f600".encode(),
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x1b[2J",
    b"\\x",
    b"\\ud8",
    b"__class__",
    b"%s{0}",
    b"../../x",
    b"<IDS|MSG>",
    b"y" * 3000,
]
ATOMS = [
    b"null",
    b"true",
    b"false",
    b"0",
    b"-0",
    b"-1",
    b"1.5",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"9" * 19,
    b"-" + b"9" * 19,
    b"18446744073709551616",
    b"9" * 400,
    b"1" * 5000,
    b"1e-9999",
    b"01",
    b"1.",
    b"nul",
    b"undefined",
    b"",
    b"'x'",
    b"{}",
    b"[]",
    b"[[[[[]]]]]",
    b"[" * 50 + b"]" * 50,
    b"[" * 1500 + b"]" * 1500,
    b'{"x":' * 700 + b"NaN" + b"}" * 700,
]
IDENTIFYING = ("msg_id", "msg_type", "session", "username", "date", "version")


def text(rng: Random) -> bytes:
    """A string of JSON, with its quotes."""
    return b'"' + b"".join(rng.choices(TEXTS, k=rng.choice((1, 1, 1, 3)))) + b'"'


def value(rng: Random, depth: int = 3) -> bytes:
    """JSON, or what looks like it."""
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return rng.choice(ATOMS)
    if kind < 0.75:
        return text(rng)
    if kind < 0.85:
        return b"[" + b",".join(value(rng, depth - 1) for _ in range(rng.randrange(4))) + b"]"
    return thing(rng, [(text(rng), value(rng, depth - 1)) for _ in range(rng.randrange(4))])


def thing(rng: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    """An object with these fields, some twice, some broken, rarely one too many."""
    fields = list(fields)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        fields.append((text(rng), value(rng, 1)))
    if fields and rng.random() < 0.1:
        name, _ = rng.choice(fields)
        fields.append((name, value(rng, 1)))
    return b"{" + b",".join(name + b":" + field for name, field in fields) + b"}"


def bent(rng: Random, frame: bytes) -> bytes:
    """The frame with a few bytes changed, taken out or put in."""
    changed = bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(changed) + 1)
        changed[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(changed)


def sprinkled(rng: Random, fields: dict[str, str], rate: float) -> bytes:
    """An object in which some values are odd, and some missing."""
    pairs = []
    for name, good in fields.items():
        if rng.random() < rate / 3:
            continue
        odd = rng.random() < rate
        pairs.append((json.dumps(name).encode(), value(rng) if odd else good.encode()))
    return thing(rng, pairs)


def body(rng: Random, header: dict[str, Any]) -> list[bytes]:
    """Header, parent_header, metadata, content and perhaps buffers of a message.

    Args:
        rng: decides all.
        header: a good one; its msg_type is replaced.
    """
    kind = rng.choice(list(FIELDS))
    good = {name: json.dumps(v) for name, v in {**header, "msg_type": kind}.items()}
    rate = rng.choice((0.0, 0.1, 0.3))
    parent = {"msg_id": '"1"', "session": json.dumps(header["session"])}
    frames = [
        sprinkled(rng, good, rate),
        rng.choice((b"{}", b"null", sprinkled(rng, parent, 0.5))),
        rng.choice((b"{}", b"null", value(rng), sprinkled(rng, {"minikernel": "{}"}, 0.5))),
        sprinkled(rng, FIELDS[kind], rng.choice((0.0, 0.3))),
        *[rng.randbytes(rng.randrange(30)) for _ in range(rng.choice((0, 0, 0, 1, 5)))],
    ]
    if rng.random() < 0.1:
        at = rng.randrange(4)
        frames[at] = bent(rng, frames[at])
    return frames
