"""Whose hand an attacker writes in."""

from __future__ import annotations

import json

import pytest

from minikernel.auth.channel_hmac.frames import Type, header, parse_tagged
from minikernel.auth.jupyter_hmac import JupyterHmac
from minikernel.auth.keys import SecretKey
from minikernel.lab.attackers import (
    Copy,
    SharedKey,
    content,
    is_greeting,
    is_message,
    msg_type,
    parent_id,
    retold,
    session,
    signature,
)
from minikernel.lab.network.passing import Passing
from minikernel.wire.channels import Channel, Role

HEADER = {"msg_id": "1", "msg_type": "execute_request", "session": "s"}
SAID = {"code": "1", "silent": False}


def seen(auth: bytes) -> Passing:
    four = [json.dumps(part).encode() for part in (HEADER, {"msg_id": "0"}, {}, SAID)]
    return Passing(Channel.SHELL, Role.KERNEL, b"ada", [b"<IDS|MSG>", auth, *four, b"buffer"])


def test_a_message_is_taken_apart() -> None:
    passing = seen(b"tag")
    assert is_message(passing)
    assert not is_greeting(passing)
    assert (msg_type(passing), session(passing), parent_id(passing)) == (
        "execute_request",
        "s",
        "0",
    )
    assert content(passing) == SAID
    assert signature(passing) == b"tag"


def test_a_greeting_is_no_message() -> None:
    greeting = seen(b"")._replace(frames=[b"<IDS|MSG>", b"HELLO"])
    assert is_greeting(greeting)
    assert not is_message(greeting)
    assert msg_type(greeting) == ""


def test_who_holds_no_key_copies_a_signature() -> None:
    assert Copy().sign(seen(b"an HMAC"), []) == b"an HMAC"


def test_who_holds_no_key_counts_on() -> None:
    auth = header(Type.DATA, Channel.SHELL, bytes(16), 41) + b"t" * 32
    forged = parse_tagged(Copy().sign(seen(auth), []), Type.DATA, Channel.SHELL)
    assert (forged.counter, forged.tag) == (42, b"t" * 32)


def test_a_message_is_retold_in_another_hand() -> None:
    scheme = JupyterHmac(SecretKey(b"k" * 32), "hmac-sha256")
    told = retold(seen(b"tag"), SharedKey(scheme), content={"code": "2"}, header={"msg_id": "9"})
    assert content(told) == {**SAID, "code": "2"}
    assert json.loads(told.frames[2]) == {**HEADER, "msg_id": "9"}
    assert told.frames[-1] == b"buffer"
    scheme.verify(signature(told), told.frames[2:6])


@pytest.mark.parametrize("buffers", [(), (b"other",)])
def test_buffers_are_replaced(buffers: tuple[bytes, ...]) -> None:
    assert retold(seen(b"tag"), Copy(), buffers=buffers).frames[6:] == list(buffers)
