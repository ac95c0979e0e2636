"""Section 3, as a client does it: getting a session, and what became of the one before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.client_side import ClientChannelHmac
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.scheme import Fate, Greeting, HandshakeRequest
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    FramingError,
    ReplayedCounter,
    TooManySessions,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Stage

    from minikernel.auth.channel_hmac.keys import Credential
    from minikernel.wire.peer import Peer

C, S, IN, P = Channel.CONTROL, Channel.SHELL, Channel.STDIN, Channel.IOPUB
FRAMES = [b"header", b"parent", b"metadata", b"content"]
TOPIC = (b"iopub_welcome",)
A_MOMENT = 1e-6  # sums of floats are not exact


class Member:
    """A client and its connections to a kernel, both in memory."""

    def __init__(self, stage: Stage, credential: Credential | None = None) -> None:
        credential = credential or stage.master.owner()
        self.end = ClientEnd(credential, entropy=os.urandom)
        self.client = ClientChannelHmac(self.end, credential.rights)
        self.route = (os.urandom(5),)
        self.meet(stage)

    def meet(self, stage: Stage) -> None:
        """From now on this is the kernel."""
        self.stage = stage
        self.kernel = KernelChannelHmac(stage.kernel)

    @property
    def id(self) -> str:
        assert self.end.session is not None
        return self.end.session.id.hex()

    def after(self, seconds: float) -> list[Greeting | HandshakeRequest]:
        self.stage.now += seconds + A_MOMENT
        return self.due()

    def due(self) -> list[Greeting | HandshakeRequest]:
        return list(self.client.due(self.stage.now))

    def requests(self) -> list[HandshakeRequest]:
        due = self.due()
        assert all(isinstance(one, HandshakeRequest) for one in due)
        return due  # type: ignore[return-value]

    def hello(self) -> bytes:
        (greeting,) = self.due()
        assert isinstance(greeting, Greeting)
        assert greeting.channel is C
        return greeting.frame

    def knock(self) -> None:
        """HELLO and CHALLENGE."""
        self.client.renew(self.stage.now)
        challenge = self.kernel.greet(C, self.hello(), self.route, self.stage.now)
        assert challenge is not None
        assert self.client.greet(C, challenge, ()) is None

    def send(self, channel: Channel, session: str | None = None) -> tuple[bytes, Peer]:
        signature = self.seal(channel, session)
        return signature, self.kernel.open(channel, signature, FRAMES, self.route, self.stage.now)

    def seal(self, channel: Channel, session: str | None = None) -> bytes:
        sealed = self.client.seal(channel, FRAMES, Address((), session))
        assert sealed is not None
        assert sealed.route == ()
        return sealed.signature

    def bind(self, request: HandshakeRequest) -> None:
        """Send a bind_request on control, take the reply."""
        assert (request.channel, request.msg_type) == (C, "bind_request")
        _, peer = self.send(C, request.session)
        replaces: Any = request.content.get("replaces")
        content = self.kernel.bind(peer, replaces, self.stage.now)
        self.client.take(C, self.hear(C, peer), "bind_reply", content)

    def hear(self, channel: Channel, peer: Peer) -> Peer:
        signature = self.say(channel, peer)
        return self.client.open(channel, signature, FRAMES, TOPIC if channel is P else ())

    def say(self, channel: Channel, peer: Peer) -> bytes:
        sealed = self.kernel.seal(channel, FRAMES, peer)
        assert sealed is not None
        return sealed.signature

    def welcome(self) -> None:
        self.client.take(P, self.hear(P, Address(TOPIC)), "iopub_welcome", {})

    def enter(self) -> None:
        """Until the bind_reply, and the bind_requests on shell and stdin."""
        self.knock()
        (request,) = self.requests()
        self.bind(request)
        for other in self.requests():
            self.send(other.channel, other.session)

    def join(self) -> None:
        self.enter()
        self.welcome()
        assert self.client.wait(0.0) is None


@pytest.fixture
def member(stage: Stage) -> Member:
    return Member(stage)


@pytest.fixture
def observer(stage: Stage) -> Callable[[int], Member]:
    return lambda rights: Member(stage, stage.master.invite("alice", rights))


# HELLO


def test_nothing_is_due_before_it_is_asked_for(member: Member) -> None:
    assert member.due() == []
    assert member.client.wait(0.0) is None
    assert member.client.wait(0.0) is None
    assert not member.client.is_ready(S)
    assert member.client.seal(S, FRAMES, Address(())) is None
    assert member.client.ping() is None
    assert (member.client.connected, member.client.refusal, member.client.renewed) == (
        True,
        None,
        0.0,
    )
    assert not member.client.has_taken_over
    assert member.client.fates({S: {"1": b""}}) == {}
    assert not member.client.gaps


def test_hello_again_after_longer_and_longer_pauses(member: Member) -> None:
    client = member.client
    client.renew(member.stage.now)
    assert client.renewed == member.stage.now
    assert client.wait(member.stage.now) == 0.0
    hellos = {member.hello()}
    for pause in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        assert client.wait(member.stage.now) == pytest.approx(pause)
        assert member.after(pause - 0.01) == []
        member.stage.now += 0.01
        hellos.add(member.hello())
    assert client.wait(member.stage.now + 100) == 0.0
    assert len(hellos) == 8
    assert client.wait(0.0) is not None


def test_a_challenge_that_is_not_for_the_latest_hello(member: Member) -> None:
    member.client.renew(member.stage.now)
    late = member.kernel.greet(C, member.hello(), member.route, member.stage.now)
    member.stage.now += 0.21
    challenge = member.kernel.greet(C, member.hello(), member.route, member.stage.now)
    assert late
    assert challenge
    with pytest.raises(BadSignature):
        member.client.greet(C, late, ())
    for channel, route in ((S, ()), (IN, ()), (C, (b"x",))):
        with pytest.raises(FramingError):
            member.client.greet(channel, challenge, route)
    assert isinstance(member.after(0.4)[0], Greeting)
    with pytest.raises(BadSignature):
        member.client.greet(C, challenge, ())


def test_a_challenge_counts_once(member: Member) -> None:
    member.client.renew(member.stage.now)
    challenge = member.kernel.greet(C, member.hello(), member.route, member.stage.now)
    assert challenge
    member.client.greet(C, challenge, ())
    with pytest.raises(ChallengeError):
        member.client.greet(C, challenge, ())


# bind_request


def test_bind_first_on_control_then_on_shell_and_stdin(member: Member) -> None:
    member.knock()
    assert member.end.candidate is not None
    new = member.end.candidate.id.hex()
    request = HandshakeRequest(C, "bind_request", {}, new)
    assert member.due() == [request]
    for _ in range(2):
        assert member.after(0.19) == []
        assert member.after(0.01) == [request]
        assert not member.client.is_ready(S)
    member.bind(request)
    assert member.id == new
    assert not member.client.is_ready(S)  # shell does not know yet where we are
    others = [HandshakeRequest(c, "bind_request", {}, new) for c in (S, IN)]
    assert member.due() == [*others, request]
    assert member.client.is_ready(C)
    assert not member.client.is_ready(S)  # outputs would be lost
    assert member.client.wait(member.stage.now) == pytest.approx(0.2)
    assert member.after(0.2) == [request]
    member.welcome()
    assert member.client.is_ready(S)
    assert member.client.wait(0.0) is None
    assert member.client.connected
    assert member.client.is_ready(C)
    assert member.after(0.2) == []


def test_what_follows_an_answer_is_due_at_once(member: Member) -> None:
    member.stage.now = 0.0
    member.knock()
    assert member.client.wait(0.0) == 0.0
    (request,) = member.requests()
    member.bind(request)
    assert member.client.wait(0.0) == 0.0
    assert len(member.requests()) == 3
    assert member.client.due(9.7)
    assert member.client.due(10.0) == ()


def test_a_reply_that_comes_after_another_hello_binds_nothing(member: Member) -> None:
    member.knock()
    (request,) = member.requests()
    member.client.renew(member.stage.now)
    member.hello()
    member.bind(request)
    assert member.end.session is None
    assert not member.client.is_ready(S)


def test_without_a_bind_reply_a_new_hello(member: Member) -> None:
    member.knock()
    member.due()
    assert isinstance(member.after(9.9)[0], HandshakeRequest)
    began = member.stage.now
    (again,) = member.after(0.2)
    assert isinstance(again, Greeting)
    assert member.client.renewed > began
    assert member.client.wait(member.stage.now) == pytest.approx(0.2)
    assert member.client.connected


def test_without_a_welcome_iopub_is_not_connected(member: Member) -> None:
    member.enter()
    for _ in range(40):
        assert [p.channel for p in member.after(0.2) if isinstance(p, HandshakeRequest)] == [C]
    assert member.client.connected
    assert member.client.wait(0.0) is not None
    assert member.after(2.0) == []
    assert not member.client.connected
    assert member.client.wait(0.0) is None
    assert member.client.is_ready(S)
    member.join()
    assert member.client.connected


def test_another_message_is_no_welcome(member: Member) -> None:
    member.enter()
    heard = member.hear(P, Address(TOPIC))
    member.client.take(P, heard, "status", {})
    member.client.take(S, heard, "iopub_welcome", {})
    member.client.take(P, Address(TOPIC, "00" * 8), "iopub_welcome", {})
    assert member.client.wait(0.0) is not None
    member.client.take(P, heard, "iopub_welcome", {})
    assert member.client.wait(0.0) is None


def test_a_welcome_before_the_reply(member: Member) -> None:
    member.knock()
    (request,) = member.requests()
    _, peer = member.send(C, request.session)
    member.kernel.bind(peer, None, member.stage.now)
    member.welcome()
    member.client.take(P, Address(TOPIC, "00" * 8), "iopub_welcome", {})
    assert member.client.wait(0.0) is not None
    member.bind(request)
    assert member.client.wait(0.0) is not None
    assert [p.channel for p in member.requests()] == [S, IN]
    assert member.client.wait(0.0) is None


def test_an_old_welcome_is_not_the_new_sessions(member: Member) -> None:
    member.join()
    member.enter()
    assert member.client.wait(0.0) is not None
    member.welcome()
    assert member.client.wait(0.0) is None


def test_who_may_not_observe_awaits_no_welcome(observer: Callable[[int], Member]) -> None:
    assert observer(1).client.observes
    member = observer(2)
    assert not member.client.observes
    member.knock()
    (request,) = member.requests()
    member.bind(request)
    assert [p.channel for p in member.requests()] == [S, IN]
    assert member.client.wait(0.0) is None
    assert member.client.connected


def test_other_replies_bind_nothing(member: Member) -> None:
    member.join()
    old = member.id
    member.knock()
    (request,) = member.requests()
    _, peer = member.send(C, request.session)
    heard = member.hear(C, peer)
    ok = {"status": "ok"}
    member.client.take(S, heard, "bind_reply", ok)
    member.client.take(C, heard, "kernel_info_reply", ok)
    member.client.take(C, Address((), old), "bind_reply", ok)
    assert member.id == old
    assert not member.client.is_ready(S)
    member.client.take(C, heard, "bind_reply", ok)
    assert member.id == request.session
    member.client.take(C, heard, "bind_reply", {"status": "error"})  # of a second bind_request
    assert member.client.refusal is None


def test_no_place(stage_with: type[Stage]) -> None:
    from minikernel.auth.channel_hmac.sessions import SessionLimits

    stage = stage_with(limits=SessionLimits(sessions=1))
    Member(stage).join()
    member = Member(stage)
    member.knock()
    (request,) = member.requests()
    _, peer = member.send(C, request.session)
    with pytest.raises(TooManySessions):
        member.kernel.bind(peer, None, member.stage.now)
    error = {"status": "error", "evalue": "too many clients"}
    member.client.take(C, member.hear(C, peer), "bind_reply", error)
    assert member.client.refusal == "too many clients"
    assert member.client.wait(0.0) is None
    assert not member.client.is_ready(S)
    assert member.end.session is None
    member.client.renew(stage.now)
    assert member.client.refusal is None


def test_a_refusal_that_says_nothing(member: Member) -> None:
    member.knock()
    (request,) = member.requests()
    member.client.take(C, Address((), request.session), "bind_reply", {})
    assert member.client.refusal == "refused"


# Shaking hands again


def test_the_new_session_names_the_one_that_it_replaces(member: Member) -> None:
    member.join()
    old = member.id
    member.knock()
    assert member.seal(S)  # the old one is in force meanwhile
    assert member.id == old
    (request,) = member.requests()
    assert request.content == {"replaces": old}
    assert request.session != old
    member.bind(request)
    assert member.id == request.session
    with pytest.raises(UnknownSession):
        member.seal(S, old)
    assert [p.content for p in member.requests()] == [{}, {}, {}]


def test_a_connection_lost_while_shaking_hands(member: Member) -> None:
    member.knock()
    member.client.renew(member.stage.now)  # nothing has been sent in it: go on
    (request,) = member.due()
    assert isinstance(request, HandshakeRequest)
    member.client.renew(member.stage.now)  # something has, by a connection that is lost perhaps
    assert isinstance(member.due()[0], Greeting)
    member.stage.now += 0.2 + A_MOMENT
    member.join()
    member.enter()
    member.client.renew(member.stage.now)
    assert isinstance(member.due()[0], Greeting)
    assert not member.client.is_ready(S)


def test_ping_and_pong(member: Member) -> None:
    member.join()
    ping = member.client.ping()
    assert ping is not None
    pong = member.kernel.pong(ping, member.stage.now)
    member.client.take_pong(pong)
    with pytest.raises(ReplayedCounter):
        member.client.take_pong(pong)


def test_the_kernel_may_say_anything(member: Member) -> None:
    member.client.claim(Address(()), "anything", "anybody's")
    assert member.client.may(Address(()), "anything")
    assert member.client.own_types == {"bind_reply"}
    assert member.client.name == "channel-hmac-sha256"


def test_gaps_of_all_sessions(member: Member, stage_with: type[Stage]) -> None:
    for turn in (1, 2):
        member.join()
        _, peer = member.send(S)
        member.hear(S, peer)
        member.say(S, peer)
        member.hear(S, peer)
        member.hear(P, Address(TOPIC))
        member.say(P, Address(TOPIC))
        member.hear(P, Address(TOPIC))
        assert missing(member) == {S: turn, P: turn}
    member.meet(stage_with())
    member.join()
    assert missing(member) == {S: 2, P: 2}


def missing(member: Member) -> dict[Channel, int]:
    return {channel: n for channel, n in member.client.gaps.items() if n}


# What became of requests


def fates(member: Member, *signatures: bytes) -> list[Fate | None]:
    assert member.client.has_taken_over
    asked = {S: {str(n): s for n, s in enumerate(signatures)}}
    told = member.client.fates(asked)
    assert not member.client.has_taken_over
    return [told.get((S, str(n))) for n in range(len(signatures))]


def test_coming_ran_and_never_ran(member: Member) -> None:
    member.join()
    sent = [member.send(S) for _ in range(3)]
    lost = member.seal(S)
    member.say(S, sent[0][1])  # its reply is on its way, and never arrives
    member.enter()
    late = member.seal(S)  # in the new session
    assert fates(member, *(s for s, _ in sent), lost, late) == [
        Fate.RAN,
        Fate.COMING,
        Fate.COMING,
        Fate.NEVER_RAN,
        None,
    ]
    assert member.client.fates({S: {"1": lost}}) == {}  # told once


def test_a_reply_that_came_is_not_missing(member: Member) -> None:
    member.join()
    _, first = member.send(S)
    member.hear(S, first)
    waiting, _ = member.send(S)
    member.enter()
    assert fates(member, waiting) == [Fate.COMING]


def test_a_reply_lost_before_another_that_came(member: Member) -> None:
    member.join()
    unanswered, first = member.send(S)
    _, second = member.send(S)
    member.say(S, first)
    member.hear(S, second)
    waiting, _ = member.send(S)
    member.enter()
    assert fates(member, unanswered, waiting) == [Fate.RAN, Fate.COMING]


def test_a_gap_leaves_those_before_it_unknown(member: Member) -> None:
    member.join()
    lost = member.seal(S)
    arrived, _ = member.send(S)
    after = member.seal(S)
    member.enter()
    assert fates(member, lost, arrived, after) == [Fate.UNKNOWN, Fate.UNKNOWN, Fate.NEVER_RAN]


def test_a_restart_leaves_all_unknown(member: Member, stage_with: type[Stage]) -> None:
    member.join()
    arrived, _ = member.send(S)
    member.meet(stage_with())
    member.enter()
    assert fates(member, arrived) == [Fate.UNKNOWN]


def test_a_restarted_kernel_is_not_believed_about_the_run_before(
    member: Member, stage_with: type[Stage]
) -> None:
    member.join()
    arrived, _ = member.send(S)
    member.meet(stage_with())
    member.knock()
    (request,) = member.requests()
    _, peer = member.send(C, request.session)
    content = {"status": "ok", "accepted": {"shell": 9}, "gaps": {"shell": 0}}
    member.client.take(C, member.hear(C, peer), "bind_reply", content)
    assert fates(member, arrived) == [Fate.UNKNOWN]


def test_a_session_that_the_kernel_no_longer_knows(member: Member) -> None:
    member.join()
    arrived, _ = member.send(S)
    never = member.seal(S)
    member.stage.now += 900.0
    member.kernel.expire(member.stage.now)
    member.enter()
    assert fates(member, arrived, never) == [Fate.UNKNOWN, Fate.UNKNOWN]


@pytest.mark.parametrize(
    "account", [{"accepted": 9}, {"accepted": {"shell": "9"}}, {"accepted": {"stdin": 9}}, {}]
)
def test_an_account_that_says_nothing(member: Member, account: dict[str, Any]) -> None:
    member.join()
    arrived, _ = member.send(S)
    member.knock()
    (request,) = member.requests()
    content = {"status": "ok", "gaps": {"shell": 0}, **account}
    member.client.take(C, Address((), request.session), "bind_reply", content)
    assert fates(member, arrived) == [Fate.UNKNOWN]


def test_an_account_without_what_was_sent(member: Member) -> None:
    member.join()
    arrived, _ = member.send(S)
    member.knock()
    (request,) = member.requests()
    content = {"status": "ok", "accepted": {"shell": 9}, "gaps": {"shell": 0}}
    member.client.take(C, Address((), request.session), "bind_reply", content)
    assert fates(member, arrived) == [Fate.COMING]


def test_requests_of_sessions_before_the_last(member: Member, stage_with: type[Stage]) -> None:
    member.join()
    oldest, _ = member.send(S)
    member.join()
    assert fates(member, oldest) == [Fate.COMING]
    member.join()
    assert fates(member, oldest) == [Fate.COMING]
    member.meet(stage_with())
    member.join()
    assert fates(member, oldest) == [Fate.UNKNOWN]


def test_an_older_request_and_a_session_that_the_kernel_no_longer_knows(member: Member) -> None:
    member.join()
    oldest, _ = member.send(S)
    member.join()
    fates(member, oldest)
    member.stage.now += 900.0
    member.kernel.expire(member.stage.now)
    member.join()
    assert fates(member, oldest) == [Fate.UNKNOWN]


def test_an_older_request_and_a_restarted_kernel_that_claims_to_know(
    member: Member, stage_with: type[Stage]
) -> None:
    member.join()
    oldest, _ = member.send(S)
    member.join()
    fates(member, oldest)
    member.meet(stage_with())
    member.knock()
    (request,) = member.requests()
    content = {"status": "ok", "accepted": {"shell": 9}, "gaps": {"shell": 0}}
    member.client.take(C, Address((), request.session), "bind_reply", content)
    assert fates(member, oldest) == [Fate.UNKNOWN]
