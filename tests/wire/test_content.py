"""Contents of requests and replies."""

from __future__ import annotations

import json

import msgspec
import pytest

from minikernel.wire.content import BUSY, IDLE, REQUESTS, STARTING, error, ok, reply_type
from minikernel.wire.message import loads

REQUIRED = {"execute_request", "complete_request", "inspect_request", "is_complete_request"}


@pytest.mark.parametrize("msg_type", [*REQUESTS])
def test_what_a_request_leaves_out_has_the_specification_s_default(msg_type: str) -> None:
    given = {"value": "x"} if msg_type == "input_reply" else {}
    given |= {"code": "x"} if msg_type in REQUIRED else {}
    made = msgspec.convert(given, REQUESTS[msg_type])
    assert msgspec.convert({**given, "a_field_of_a_later_version": 1}, REQUESTS[msg_type]) == made


@pytest.mark.parametrize("msg_type", sorted(REQUIRED))
def test_there_is_no_default_for_code(msg_type: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="code"):
        msgspec.convert({}, REQUESTS[msg_type])


def test_the_defaults_of_an_execute_request() -> None:
    made = msgspec.convert({"code": "x"}, REQUESTS["execute_request"])
    assert msgspec.to_builtins(made) == {
        "code": "x",
        "silent": False,
        "store_history": True,
        "user_expressions": None,
        "allow_stdin": True,
        "stop_on_error": True,
    }


def test_states_are_json() -> None:
    states = [loads(state)["execution_state"] for state in (BUSY, IDLE, STARTING)]
    assert states == ["busy", "idle", "starting"]


def test_replies_say_how_it_went() -> None:
    assert ok(x=1) == {"status": "ok", "x": 1}
    said = {"status": "error", "ename": "E", "evalue": "why"}
    assert error("E", "why") == {**said, "traceback": []}
    assert error("E", "why", ["line"]) == {**said, "traceback": ["line"]}


@pytest.mark.parametrize("kind", ["execute", "kernel_info", 'a"b', "\x00", "é"])
def test_a_reply_s_type_goes_into_json_as_it_is(kind: str) -> None:
    assert json.loads(b'"%b"' % reply_type(f"{kind}_request")) == f"{kind}_reply"
