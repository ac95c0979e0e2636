"""The JSON of messages, of whatever other implementations put on the wire."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from minikernel.errors import ContentError
from minikernel.wire.message import (
    DEPTH,
    HEADER_DEPTH,
    HeaderFactory,
    dumps,
    loads,
    loads_dict,
    loads_header,
    loads_optional,
)

HEADER = b'{"msg_id":"1","msg_type":"x_request","session":"s"}'


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        (b"3", 3),
        (b'{"a": [null]}', {"a": [None]}),
        (b"Infinity", math.inf),
        (b'"\\ud800"', "\ud800"),
        (b'"\xff"', "\ufffd"),
    ],
)
def test_what_others_take_for_json(frame: bytes, value: object) -> None:
    assert loads(frame) == value


@pytest.mark.parametrize("frame", [b"", b"{", b"nothing", b"\x80", b"[1,]"])
def test_what_is_no_json(frame: bytes) -> None:
    with pytest.raises(ContentError):
        loads(frame)


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "dicts"])
def test_what_is_nested_too_deeply(brackets: tuple[bytes, bytes]) -> None:
    start, end = brackets
    assert loads(start * 50 + b"1" + end * 50)
    with pytest.raises(ContentError):
        loads(start * (DEPTH + 1) + b"1" + end * (DEPTH + 1))


@pytest.mark.parametrize("frame", [b"3", b"[]", b"null", b'"x"'])
def test_what_must_be_an_object(frame: bytes) -> None:
    with pytest.raises(ContentError):
        loads_dict(frame)


def test_null_is_an_empty_parent_header() -> None:
    assert loads_optional(b"null") == loads_optional(b"{}") == {}
    assert loads_optional(b'{"a":1}') == {"a": 1}


def test_a_header_is_echoed_as_it_came() -> None:
    header, echo = loads_header(HEADER)
    assert (header.msg_id, header.msg_type, header.session) == ("1", "x_request", "s")
    assert echo == HEADER


def test_an_odd_header_is_echoed_as_strict_json() -> None:
    header, echo = loads_header(HEADER[:-1] + b',"odd":NaN,"half":"\\ud800"}')
    assert header.msg_id == "1"
    assert json.loads(echo)["odd"] is None
    assert json.loads(echo)["half"] == "?"


def test_a_header_of_wrong_types_is_still_answered() -> None:
    with pytest.raises(ContentError, match="header") as caught:
        loads_header(b'{"msg_id":3,"msg_type":"x_request"}')
    assert caught.value.msg_type == "x_request"
    assert json.loads(caught.value.header) == {"msg_id": 3, "msg_type": "x_request"}


def test_a_header_is_nested_less_deeply() -> None:
    deep = b"[" * HEADER_DEPTH + b"]" * HEADER_DEPTH
    with pytest.raises(ContentError, match="nested too deeply"):
        loads_header(HEADER[:-1] + b',"deep":' + deep + b"}")


@pytest.mark.parametrize(
    ("value", "frame"),
    [
        ({"a": (1, None)}, b'{"a":[1,null]}'),
        (math.nan, b"null"),
        (-math.inf, b"null"),
        ("half \ud800", b'"half ?"'),
        ({"\ud800": ["\ud800"]}, b'{"?":["?"]}'),
        (range(3), b"[0,1,2]"),
    ],
)
def test_what_is_sent_is_strict_json(value: object, frame: bytes) -> None:
    assert dumps(value) == frame


def test_what_json_has_no_form_for() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value in (object(), endless):
        with pytest.raises(TypeError):
            dumps(value)
    assert json.loads(dumps(Decimal(3))) in {3, "3"}


def test_headers_are_numbered() -> None:
    factory = HeaderFactory("s", "run", 'A "name"', lambda: b'"now"')
    first, second = (json.loads(factory(b"x_reply")) for _ in range(2))
    assert first == {
        "msg_id": "s_run_1",
        "msg_type": "x_reply",
        "date": "now",
        "session": "s",
        "username": 'A "name"',
        "version": "5.5",
    }
    assert second == {**first, "msg_id": "s_run_2"}
