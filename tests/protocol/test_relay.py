from __future__ import annotations

import os
from typing import Any

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import find
from minikernel.auth.spec import Setup
from minikernel.errors import BadSignature, ContentError
from minikernel.protocol.end import BARE, ChannelEnd
from minikernel.protocol.kernel import KernelConnection
from minikernel.protocol.relay import RelayConnection
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import HeaderFactory, Message, dumps
from minikernel.wire.peer import Address

FRONT, BACK = SecretKey(b"the front end's"), SecretKey(b"the kernel's")
S, C, IN, P = Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB
ADA, BOB = (b"ada",), (b"bob",)
ROOM = b'{"code" : "1" ,  "\xc3\xa9":NaN}'  # as no encoder of ours would write it


def headers(session: str) -> HeaderFactory:
    return HeaderFactory(session, "run", "", lambda: b'"2026-01-02T03:04:05Z"')


def scheme(key: SecretKey) -> Any:
    return find("hmac-sha256").client(Setup("hmac-sha256", key, os.urandom))


class Between:
    """A kernel, a relay, and the connection that clients of the relay have."""

    def __init__(self) -> None:
        spec = find("hmac-sha256")
        self.front = KernelConnection(scheme(FRONT), spec.traits, headers("k"), guards=BARE)
        self.relay = RelayConnection(scheme(BACK), headers("relay"), "relay")
        self.kernel = {
            c: ChannelEnd(c, Role.KERNEL, scheme(BACK), headers("kernel"), guards=BARE)
            for c in Channel
        }

    def come(  # noqa: PLR0917 - a message has as many parts
        self,
        channel: Channel,
        msg_type: str,
        route: tuple[bytes, ...] = ADA,
        msg_id: str = "1",
        session: str = "s",
        content: bytes = b"{}",
        buffers: tuple[bytes, ...] = (),
    ) -> Message:
        header = dumps({"msg_id": msg_id, "msg_type": msg_type, "session": session})
        frames = [header, b"null", b"{}", content, *buffers]
        signature = scheme(FRONT).sign(frames)
        message = self.front.take(channel, [*route, DELIMITER, signature, *frames])
        assert message is not None
        return message

    def forward(self, channel: Channel, message: Message) -> Message:
        """What the kernel gets."""
        via, frames = self.relay.forward(channel, message)
        return self.kernel[via].receive(frames)

    def say(
        self, channel: Channel, msg_type: bytes, parent: Message | None, content: bytes = b"{}"
    ) -> Any:
        """What the relay makes of what the kernel says."""
        end = self.kernel[channel]
        header = b"{}" if parent is None else parent.header_frame
        frames = end.compose(msg_type, content, parent=header)
        topic = Address((b"topic",) if channel is P else ())
        sealed = end.seal(frames, topic)
        assert sealed is not None
        passed = self.relay.take(channel, sealed)
        assert passed.message.frames == frames
        return passed


@pytest.fixture
def between() -> Between:
    return Between()


def test_frames_pass_byte_for_byte(between: Between) -> None:
    message = between.come(S, "execute_request", content=ROOM, buffers=(b"\0", b"a" * 9))
    assert between.forward(S, message).frames == message.frames
    assert message.frames[1] == b"null"
    reply = between.say(S, b"execute_reply", message, content=ROOM)
    assert reply.message.frames[3] == ROOM
    assert reply.message.content is None  # it is for somebody else


def test_a_reply_goes_to_who_has_asked_and_once(between: Between) -> None:
    ada = between.come(S, "execute_request", ADA, "1")
    bob = between.come(S, "execute_request", BOB, "2")
    between.forward(S, ada)
    between.forward(S, bob)
    for message in (bob, ada):
        passed = between.say(S, b"execute_reply", message)
        assert (passed.to, passed.channel, passed.own) == (message.peer, S, False)
    with pytest.raises(ContentError):
        between.say(S, b"execute_reply", ada)
    assert between.relay.tallies[S].rejected["refused"] == 1


def test_a_reply_on_another_channel_is_none(between: Between) -> None:
    message = between.come(S, "execute_request")
    between.forward(S, message)
    with pytest.raises(ContentError):
        between.say(C, b"execute_reply", message)
    assert between.say(S, b"execute_reply", message).to == message.peer


def test_what_does_not_verify_is_refused(between: Between) -> None:
    message = between.come(S, "execute_request")
    between.forward(S, message)
    frames = [message.header_frame, message.header_frame, b"{}", b"{}"]
    with pytest.raises(BadSignature):
        between.relay.take(S, [DELIMITER, scheme(FRONT).sign(frames), *frames])


@pytest.mark.parametrize(("route", "session"), [(BOB, "s"), (ADA, "t")])
def test_a_msg_id_belongs_to_the_first_until_it_is_answered(
    between: Between, route: tuple[bytes, ...], session: str
) -> None:
    first = between.come(S, "execute_request", ADA, "1")
    between.forward(S, first)
    second = between.come(S, "execute_request", route, "1", session)
    with pytest.raises(ContentError, match="another client"):
        between.forward(S, second)
    with pytest.raises(ContentError, match="another client"):
        between.forward(C, between.come(C, "debug_request", route, "1", session))
    assert between.say(IN, b"input_request", first).to == first.peer
    assert between.say(S, b"execute_reply", first).to == first.peer
    between.forward(S, second)
    assert between.say(S, b"execute_reply", second).to == second.peer


def test_questions_are_answered_by_whom_they_were_asked(between: Between) -> None:
    message = between.come(S, "execute_request")
    between.forward(S, message)
    answer = between.come(IN, "input_reply", msg_id="2")
    with pytest.raises(ContentError, match="not asked"):
        between.forward(IN, answer)
    for _ in range(2):
        assert between.say(IN, b"input_request", message).to == message.peer
        with pytest.raises(ContentError, match="not asked"):
            between.forward(IN, between.come(IN, "input_reply", BOB))
        assert between.forward(IN, answer).frames == answer.frames
    with pytest.raises(ContentError, match="not asked"):
        between.forward(IN, answer)


def test_a_question_is_over_with_its_request(between: Between) -> None:
    first, second = (between.come(S, "execute_request", msg_id=i) for i in "12")
    for message in (first, second):
        between.forward(S, message)
        between.say(IN, b"input_request", message)
    between.say(S, b"execute_reply", first)
    between.forward(IN, between.come(IN, "input_reply"))
    between.say(IN, b"input_request", second)
    between.say(S, b"execute_reply", second)
    with pytest.raises(ContentError, match="not asked"):
        between.forward(IN, between.come(IN, "input_reply"))


def test_nobody_is_asked_who_has_not_asked(between: Between) -> None:
    with pytest.raises(ContentError):
        between.say(IN, b"input_request", between.come(S, "execute_request"))


def test_an_interrupt_on_shell_goes_on_by_control_and_back(between: Between) -> None:
    message = between.come(S, "interrupt_request")
    via, _ = between.relay.forward(S, message)
    assert via is C
    passed = between.say(C, b"interrupt_reply", message)
    assert (passed.channel, passed.to) == (S, message.peer)


@pytest.mark.parametrize(
    ("channel", "msg_type"),
    [(C, "execute_request"), (S, "debug_request"), (IN, "execute_request"), (S, "stream")],
)
def test_what_belongs_elsewhere_is_refused(
    between: Between, channel: Channel, msg_type: str
) -> None:
    with pytest.raises(ContentError, match="does not belong"):
        between.relay.forward(channel, between.come(channel, msg_type))


@pytest.mark.parametrize(("channel", "msg_type"), [(C, "odd_request"), (S, "odd_request")])
def test_what_nobody_knows_passes(between: Between, channel: Channel, msg_type: str) -> None:
    message = between.come(channel, msg_type)
    assert between.forward(channel, message).frames == message.frames


def test_a_comm_has_its_msg_id_until_the_kernel_is_idle(between: Between) -> None:
    message = between.come(S, "comm_msg")
    between.forward(S, message)
    parent = between.kernel[S].receive(between.relay.forward(S, message)[1])
    assert between.say(IN, b"input_request", parent).to == message.peer
    between.say(P, b"status", parent, b'{"execution_state":"busy"}')
    assert between.say(IN, b"input_request", parent).to == message.peer
    between.say(P, b"status", parent, b'{"execution_state":"idle"}')
    with pytest.raises(ContentError):
        between.say(IN, b"input_request", parent)


def test_idle_ends_no_request_that_gets_a_reply(between: Between) -> None:
    message = between.come(S, "execute_request")
    between.forward(S, message)
    passed = between.say(P, b"status", message, b'{"execution_state":"idle"}')
    assert (passed.to, passed.message.peer.route, passed.own) == (None, (b"topic",), False)
    assert between.say(S, b"execute_reply", message).to == message.peer


def test_what_answers_the_relay_is_its_own(between: Between) -> None:
    asked = between.kernel[S].receive(between.relay.ask(S, b"kernel_info_request", {}))
    passed = between.say(S, b"kernel_info_reply", asked)
    assert (passed.to, passed.own) == (None, True)
    assert between.say(P, b"status", asked).own
    with pytest.raises(ContentError):
        between.say(IN, b"input_request", asked)
    assert not between.say(P, b"status", None).own
