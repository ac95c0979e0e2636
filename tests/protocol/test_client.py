"""A client's side of a connection, without sockets; its kernel is jupyter_client's Session."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.session import Session

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.spec import Setup
from minikernel.errors import LocalProtocolError
from minikernel.protocol.client import ClientConnection
from minikernel.wire.channels import Channel

KEY = b"a secret"
TRAITS = find("hmac-sha256").traits
KERNEL = Session(key=KEY, session="kernel")


@pytest.fixture
def connection() -> ClientConnection:
    return ClientConnection(
        create("hmac-sha256", SecretKey(KEY), ReplayMemory()),
        TRAITS,
        session="client",
        username="ada",
        run="r",
        clock=lambda: 0.0,
        date=lambda: b'"2026-01-02T03:04:05Z"',
    )


def asked(connection: ClientConnection, channel: Channel, msg_type: str) -> dict[str, Any]:
    """Send a request; as a stock kernel reads it."""
    msg_id = connection.send(channel, msg_type, {"code": "1"}, metadata={"m": 1}, buffers=[b"b"])
    ((sent, frames),) = connection.to_send()
    assert (sent, connection.to_send()) == (channel, [])
    KERNEL.digest_history.clear()
    msg: dict[str, Any] = KERNEL.deserialize(frames[1:])
    assert msg["msg_id"] == msg_id
    return msg


def replied(msg_type: str, parent: dict[str, Any], key: bytes = KEY) -> list[bytes]:
    session = Session(key=key, session="kernel")
    return list(session.serialize(session.msg(msg_type, {"status": "ok"}, parent=parent)))


def test_a_stock_kernel_reads_what_is_sent(connection: ClientConnection) -> None:
    msg = asked(connection, Channel.SHELL, "execute_request")
    assert (msg["header"]["session"], msg["header"]["username"]) == ("client", "ada")
    assert (msg["content"], msg["metadata"]["m"]) == ({"code": "1"}, 1)
    assert [bytes(buffer) for buffer in msg["buffers"]] == [b"b"]
    assert connection.wait() is None


def test_a_reply_passes_once_and_only_where_it_was_asked_for(connection: ClientConnection) -> None:
    msg = asked(connection, Channel.SHELL, "execute_request")
    assert connection.waits_for(msg["msg_id"])
    assert connection.awaits
    assert connection.take(Channel.CONTROL, replied("execute_reply", msg)) is None
    incoming = connection.take(Channel.SHELL, replied("execute_reply", msg))
    assert incoming is not None
    assert incoming.message.content == {"status": "ok"}
    assert incoming.header["msg_type"] == "execute_reply"
    assert connection.take(Channel.SHELL, replied("execute_reply", msg)) is None
    assert not connection.awaits
    assert connection.tallies[Channel.SHELL].rejected == {"not asked": 1}


def test_what_does_not_verify_is_dropped_and_told(connection: ClientConnection) -> None:
    told: list[tuple[str, str, str]] = []
    connection.hook = lambda channel, direction, _type, _frames, verdict: told.append(
        (channel.value, direction, verdict)
    )
    msg = asked(connection, Channel.SHELL, "execute_request")
    assert connection.take(Channel.SHELL, replied("execute_reply", msg, b"another")) is None
    assert connection.take(Channel.IOPUB, [b"nonsense"]) is None
    assert told == [
        ("shell", "sent", "ok"),
        ("shell", "received", "bad signature"),
        ("iopub", "received", "framing"),
    ]


def test_a_header_that_can_not_be_decoded_is_dropped(connection: ClientConnection) -> None:
    msg = asked(connection, Channel.SHELL, "execute_request")
    frames = replied("execute_reply", msg)
    frames[2] = frames[2][:-1] + b', "more": ' + 5000 * b"9" + b"}"
    frames[1] = KERNEL.sign(frames[2:6])
    assert connection.take(Channel.SHELL, frames) is None
    assert connection.tallies[Channel.SHELL].rejected.total() == 1


def test_nothing_is_sent_before_a_handshake(connection: ClientConnection) -> None:
    spec = find("challenge-once")
    shy = ClientConnection(
        spec.client(Setup("challenge-once", SecretKey(KEY), lambda n: b"x" * n)),
        spec.traits,
        session="client",
        username="ada",
        run="r",
        clock=lambda: 0.0,
        date=lambda: b'"2026-01-02T03:04:05Z"',
    )
    assert not shy.is_ready(Channel.SHELL)
    with pytest.raises(LocalProtocolError):
        shy.send(Channel.SHELL, "execute_request", {})
    shy.renew()
    assert shy.wait() == 0
    assert {channel for channel, _ in shy.to_send()} == {
        Channel.SHELL,
        Channel.CONTROL,
        Channel.STDIN,
    }
    assert connection.is_ready(Channel.SHELL)
