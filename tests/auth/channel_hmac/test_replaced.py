"""How a client shakes hands again, and what it says became of its requests (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.channel_hmac.client_side import ClientChannelHmac
from minikernel.auth.channel_hmac.joining import FIRST_RETRY, PATIENCE
from minikernel.auth.scheme import Fate, Greeting
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from conftest import Stage

C, S, P = Channel.CONTROL, Channel.SHELL, Channel.IOPUB
FRAMES = [b'{"msg_id":"1"}', b"{}", b"{}", b"{}"]


class Member:
    """A client behind the seam, and what it asked."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.visitor = stage.owner()
        self.scheme = ClientChannelHmac(self.visitor.end, 0xFFFFFFFF)
        self.asked: dict[str, bytes] = {}
        self.join()

    def join(self, account: dict[str, Any] | None = None) -> None:
        """Shake hands; the bind_reply says this."""
        self.scheme.renew(self.stage.now)
        (greeting,) = self.scheme.due(self.stage.now)
        assert isinstance(greeting, Greeting)
        self.scheme.greet(C, self.stage.kernel.hello(greeting.frame, self.stage.now), ())
        self.scheme.due(self.stage.now)
        peer = Address((), self.visitor.session.id.hex())
        self.scheme.take(C, peer, "bind_reply", {"status": "ok", **(account or {})})

    def ask(self, name: str) -> None:
        """Send a request on shell."""
        sealed = self.scheme.seal(S, FRAMES, Address(()))
        assert sealed is not None
        self.asked[name] = sealed.signature

    def fates(self) -> dict[str, Fate]:
        found = self.scheme.fates({S: self.asked})
        return {name: fate for (_, name), fate in found.items()}


@pytest.fixture
def member(stage: Stage) -> Member:
    return Member(stage)


def account(accepted: int, sent: int, gaps: int = 0) -> dict[str, Any]:
    return {"accepted": {"shell": accepted}, "sent": {"shell": sent}, "gaps": {"shell": gaps}}


def test_the_fates_of_one_session(member: Member) -> None:
    for name in ("one", "two", "three"):
        member.ask(name)
    member.join(account(accepted=2, sent=1))
    assert member.fates() == {"one": Fate.RAN, "two": Fate.COMING, "three": Fate.NEVER_RAN}


def test_replies_lost_in_a_later_session_are_the_oldest_requests(member: Member) -> None:
    for name in ("one", "two"):
        member.ask(name)
    member.join(account(accepted=2, sent=0))
    assert member.fates() == {"one": Fate.COMING, "two": Fate.COMING}
    member.ask("three")
    member.join(account(accepted=1, sent=1))
    assert member.fates() == {"one": Fate.RAN, "two": Fate.COMING, "three": Fate.COMING}


def test_a_session_that_the_kernel_does_not_know(member: Member) -> None:
    member.ask("one")
    member.join()
    assert member.fates() == {"one": Fate.UNKNOWN}


def test_a_connection_lost_while_a_challenge_is_awaited_hurries_the_next_hello(
    member: Member,
) -> None:
    scheme, now = member.scheme, member.stage.now
    scheme.renew(now)
    for _ in range(6):
        now += scheme.wait(now) or 0.0
        assert len(scheme.due(now)) == 1
    assert scheme.wait(now) == 5.0
    scheme.renew(now)
    assert scheme.wait(now) == pytest.approx(FIRST_RETRY)


def test_shell_waits_for_the_welcome_and_control_does_not(member: Member) -> None:
    scheme, now = member.scheme, member.stage.now
    assert not scheme.is_ready(C)
    scheme.due(now)
    assert scheme.is_ready(C)
    assert not scheme.is_ready(S)
    scheme.take(P, Address((), member.visitor.session.id.hex()), "iopub_welcome", {})
    assert scheme.is_ready(S)


def test_shell_does_not_wait_for_ever(member: Member) -> None:
    scheme, now = member.scheme, member.stage.now
    while now < member.stage.now + PATIENCE + 1:
        scheme.due(now)
        now += 0.2
    assert scheme.is_ready(S)
    assert not scheme.connected
