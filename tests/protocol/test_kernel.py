"""A kernel's side of a connection and a client's, in memory, under each scheme."""

from __future__ import annotations

import os
from typing import Any

import pytest

from minikernel.auth.challenge_once.kernel import KNOCK
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import find
from minikernel.auth.spec import Setup
from minikernel.errors import ChallengeError, ContentError, RemoteProtocolError
from minikernel.protocol.client import ClientConnection
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import (
    EXPIRY,
    HandshakeReply,
    KernelConnection,
    error_reply,
    is_announced,
)
from minikernel.wire.channels import Channel
from minikernel.wire.content import REQUESTS, ok, reply_type
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import HeaderFactory, Message

KEY = SecretKey(b"a key of 32 bytes, or some more")
SCHEMES = ("hmac-sha256", "clear-key", "challenge-once", "channel-hmac-sha256")
S, C, IN, P = Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB


class Pair:
    """Both sides, and the frames between them."""

    def __init__(self, scheme: str) -> None:
        spec = find(scheme)
        setup = Setup(scheme, KEY, os.urandom)
        self.now = 1000.0
        self.kernel = KernelConnection(
            spec.kernel(setup),
            spec.traits,
            HeaderFactory("kernel", "run", "", lambda: b'"2026-01-02T03:04:05Z"'),
            guards=Guards(own_session="kernel", run="run", buffers=not spec.traits.sessions),
            contents=REQUESTS,
            clock=lambda: self.now,
        )
        self.client = self.another(scheme)
        self.published = 0

    def another(self, scheme: str) -> ClientConnection:
        spec = find(scheme)
        client = ClientConnection(
            spec.client(Setup(scheme, KEY, os.urandom)),
            spec.traits,
            session=os.urandom(4).hex(),
            username="ada",
            run="r",
            clock=lambda: self.now,
            date=lambda: b'"2026-01-02T03:04:05Z"',
        )
        client.renew()
        return client

    def deliver(self, client: ClientConnection) -> list[tuple[Channel, Message]]:
        """Let the kernel have what a client sends; the requests that came to it."""
        requests = []
        for channel, frames in client.to_send():
            message = self.kernel.take(channel, [b"identity", *frames])
            if message is not None and self.kernel.is_handshake(message):
                self.answer(channel, message)
            elif message is not None:
                requests.append((channel, message))
        self.fetch(client)
        return requests

    def answer(self, channel: Channel, message: Message) -> None:
        reply = self.kernel.shake_hands(channel, message, busy=False)
        if reply.content is not None:
            self.reply(channel, message, reply.content)
        if reply.welcome:
            assert self.client.take(P, self.publish(b"iopub_welcome", {"subscription": ""}))

    def reply(self, channel: Channel, message: Message, content: Any) -> bool:
        kind, parent = reply_type(message.header.msg_type), message.header_frame
        frames = self.kernel.compose(channel, kind, content, parent=parent)
        return self.kernel.send(channel, frames, message.peer)

    def publish(self, msg_type: bytes, content: dict[str, Any]) -> list[bytes]:
        self.published += 1
        frames = self.kernel.publish(msg_type, content, topic=msg_type)
        assert frames is not None
        return frames

    def fetch(self, client: ClientConnection) -> list[dict[str, Any]]:
        """Let a client have what the kernel sends; the contents that pass."""
        contents = []
        for channel in (S, C, IN):
            for frames in self.kernel.to_send(channel):
                assert frames[0] == b"identity"
                incoming = client.take(channel, frames[1:])
                if incoming is not None:
                    contents.append(incoming.message.content)
        return contents

    def shake_hands(self) -> None:
        for _ in range(20):
            assert self.deliver(self.client) == []
            self.now += 0.3
        assert all(self.client.is_ready(channel) for channel in (S, C, IN))


@pytest.fixture(params=SCHEMES)
def pair(request: pytest.FixtureRequest) -> Pair:
    pair = Pair(request.param)
    pair.shake_hands()
    return pair


def test_a_request_and_its_reply(pair: Pair) -> None:
    pair.client.send(S, "execute_request", {"code": "6 * 7"}, metadata={"m": 1})
    ((channel, message),) = pair.deliver(pair.client)
    assert (channel, message.content.code, message.metadata["m"]) == (S, "6 * 7", 1)
    assert pair.reply(S, message, ok(execution_count=1))
    assert pair.kernel.to_send(C) == []
    assert pair.fetch(pair.client) == [{"status": "ok", "execution_count": 1}]
    assert pair.kernel.to_send(S) == []
    ledger = pair.kernel.ledger(message.peer)
    assert ledger["shell"]["rejected"] == {}
    assert ledger["shell"]["verified"] >= 1 <= ledger["shell"]["sent"]


def test_what_is_published(pair: Pair) -> None:
    for number in (1, 2):
        frames = pair.publish(b"stream", {"name": "stdout", "text": str(number)})
        incoming = pair.client.take(P, frames)
        assert incoming is not None
        assert incoming.message.content["text"] == str(number)
    assert pair.client.gaps[P] == 0
    assert pair.kernel.ends[P].tally.sent == pair.published


def test_a_stranger_gets_silence(pair: Pair) -> None:
    for channel in (S, C, IN):
        frames = [b"identity", DELIMITER, b"junk", b"{}", b"{}", b"{}", b"{}"]
        with pytest.raises(RemoteProtocolError) as caught:
            pair.kernel.take(channel, frames)
        assert error_reply(caught.value) is None
        assert pair.kernel.to_send(channel) == []
        assert sum(pair.kernel.ends[channel].tally.rejected.values()) == 1


def test_an_authentic_request_that_is_malformed_gets_an_answer(pair: Pair) -> None:
    pair.client.send(S, "execute_request", {"code": 5})
    ((channel, frames),) = pair.client.to_send()
    with pytest.raises(ContentError) as caught:
        pair.kernel.take(channel, [b"identity", *frames])
    reply = error_reply(caught.value)
    assert reply is not None
    assert (reply.msg_type, reply.quiet) == (b"execute_reply", False)
    again = pair.kernel.compose(S, reply.msg_type, reply.content, parent=reply.parent)
    assert pair.kernel.send(S, again, reply.to)
    assert [content["status"] for content in pair.fetch(pair.client)] == ["error"]


def test_only_where_clients_are_told_apart_something_is_not_announced(pair: Pair) -> None:
    pair.client.send(C, "kernel_info_request", {})
    ((_, message),) = pair.deliver(pair.client)
    assert is_announced(message) is not pair.kernel.traits.sessions
    assert pair.kernel.wait() == (EXPIRY if pair.kernel.traits.sessions else None)


def test_a_client_that_leaves_gets_no_answer_and_can_be_told_nothing() -> None:
    pair = Pair("channel-hmac-sha256")
    pair.shake_hands()
    pair.client.send(S, "kernel_info_request", {})
    ((_, message),) = pair.deliver(pair.client)
    assert pair.kernel.current(message.peer) is not None
    pair.reply(S, message, ok())
    pair.fetch(pair.client)
    ((channel, frames),) = pair.client.farewells()
    goodbye = pair.kernel.take(channel, [b"identity", *frames])
    assert goodbye is not None
    assert pair.kernel.shake_hands(channel, goodbye, busy=False) == HandshakeReply(None)
    assert pair.kernel.current(message.peer) is None
    assert not pair.reply(S, message, ok())
    assert pair.kernel.to_send(S) == []


def test_who_is_silent_for_long_is_dropped() -> None:
    pair = Pair("channel-hmac-sha256")
    pair.shake_hands()
    pair.client.send(S, "kernel_info_request", {})
    ((_, message),) = pair.deliver(pair.client)
    pair.kernel.expire()
    assert pair.kernel.current(message.peer) is not None
    pair.now += 3600.0
    pair.kernel.expire()
    assert pair.kernel.current(message.peer) is None


def test_heartbeats() -> None:
    assert Pair("hmac-sha256").kernel.heartbeat is None
    pair = Pair("channel-hmac-sha256")
    pair.shake_hands()
    ping = pair.client.scheme.ping()
    assert ping is not None
    assert pair.kernel.heartbeat is not None
    pong = pair.kernel.heartbeat.answer([b"identity", b"", ping])
    assert pong is not None
    pair.client.scheme.take_pong(pong[-1])
    with pytest.raises(RemoteProtocolError):
        pair.client.scheme.take_pong(pong[-1])


def test_a_message_waits_until_its_receiver_has_shown_the_way() -> None:
    pair, late, peer = Pair("channel-hmac-sha256"), [], None
    while not late:
        for channel, frames in pair.client.to_send():
            if channel is IN:
                late.append([b"identity", *frames])
                continue
            message = pair.kernel.take(channel, [b"identity", *frames])
            if message is not None:
                pair.answer(channel, message)
                peer = message.peer
        pair.fetch(pair.client)
        pair.now += 0.3
    assert peer is not None
    question = pair.kernel.compose(IN, b"input_request", {"prompt": "", "password": False})
    assert pair.kernel.send(IN, question, peer)
    assert pair.kernel.to_send(IN) == []
    assert pair.kernel.take(IN, late[0]) is not None
    ((*_, content),) = pair.kernel.to_send(IN)
    assert content == question[-1]


def test_a_proof_that_fails_is_answered_and_raised() -> None:
    kernel = Pair("challenge-once").kernel
    assert kernel.take(S, [b"identity", DELIMITER, KNOCK]) is None
    assert len(kernel.to_send(S)) == 1
    with pytest.raises(ChallengeError):
        kernel.take(S, [b"identity", DELIMITER, b"{sha256}" + bytes(32)])
    assert kernel.to_send(S) == [[b"identity", DELIMITER, b"#FAILURE#"]]
