"""`header.session` under channel-hmac: whose it is, and how a client comes to another one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.client_side import ClientChannelHmac
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.auth.rights import OWNER_RIGHTS
from minikernel.auth.scheme import HandshakeRequest
from minikernel.errors import (
    ContentError,
    LocalProtocolError,
    SessionNameTaken,
    TooManySessions,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from conftest import Stage

C, S = Channel.CONTROL, Channel.SHELL
TAKEN = {"status": "error", "ename": "SessionNameTaken", "evalue": "take another"}
FULL = {"status": "error", "ename": "TooManySessions", "evalue": "no place"}


# the kernel


def test_a_name_of_another_client_s_is_told_apart(stage: Stage) -> None:
    kernel, owner, guest = stage.kernel, stage.owner().join(), stage.guest().join()
    kernel.claim(owner, "one")
    with pytest.raises(SessionNameTaken):
        kernel.claim(guest, "one")
    kernel.claim(guest, "two")  # it was given no name yet
    with pytest.raises(ContentError) as refused:
        kernel.claim(guest, "three")
    assert type(refused.value) is ContentError
    kernel.claim(stage.owner().join(), "one")  # of the same client


def test_a_name_is_free_when_its_session_is_gone(stage: Stage) -> None:
    owner = stage.owner()
    stage.kernel.claim(owner.join(), "one")
    stage.kernel.leave(owner.send(C))
    stage.kernel.claim(stage.guest().join(), "one")


def test_a_name_that_was_claimed_without_a_place_is_looked_at_again(
    stage_with: type[Stage],
) -> None:
    stage = stage_with(limits=SessionLimits(sessions=2, challenges=1000))
    first, late = stage.guest("bob"), stage.guest("alice")
    first.join()
    late.shake()
    with pytest.raises(TooManySessions):
        late.bind()
    stage.kernel.claim(late.send(C), "one")
    stage.kernel.claim(stage.owner().join(), "one")
    stage.kernel.leave(first.send(C))
    peer = late.send(C)
    assert peer.admitted
    with pytest.raises(SessionNameTaken):
        stage.kernel.claim(peer, "one")
    stage.kernel.claim(peer, "two")


def test_who_takes_a_silent_place_takes_no_name_with_it(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(5)]
    for guest in guests[:4]:
        guest.join()
    late = guests[4]
    late.shake()
    stage.kernel.claim(late.send(C), "one")
    stage.kernel.claim(stage.owner().join(), "one")
    stage.now += 9.9
    peer = late.send(C)
    with pytest.raises(SessionNameTaken):
        stage.kernel.bind(peer, None, stage.now + 1)


# the client


class Client:
    """A client whose kernel is played."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.end = ClientEnd(stage.master.owner(), entropy=os.urandom)
        self.scheme = ClientChannelHmac(self.end, OWNER_RIGHTS)
        self.now = 0.0

    def request(self) -> HandshakeRequest:
        """Shake hands up to the bind_request on control."""
        self.scheme.renew(self.now)
        (greeting,) = self.scheme.due(self.now)
        assert not isinstance(greeting, HandshakeRequest)
        challenge = self.stage.kernel.hello(greeting.frame, self.stage.now)
        self.scheme.greet(C, challenge, ())
        return self.again()

    def again(self) -> HandshakeRequest:
        (request,) = self.scheme.due(self.now)
        assert isinstance(request, HandshakeRequest)
        return request

    def take(self, content: dict[str, str], name: str | None) -> None:
        candidate = self.end.candidate
        assert candidate is not None
        peer = Address((), candidate.id.hex())
        self.scheme.take(C, peer, "bind_reply", content, name)

    def join(self) -> str | None:
        """Its name then."""
        name = self.request().name
        self.take({"status": "ok"}, name)
        return self.scheme.name_in_force


@pytest.fixture
def client(stage: Stage) -> Client:
    return Client(stage)


def test_the_first_name_is_the_client_s_own(client: Client) -> None:
    assert client.join() is None


def test_a_name_is_heard_in_one_session_only(client: Client, stage_with: type[Stage]) -> None:
    names = [client.join() for _ in range(3)]
    client.stage = stage_with()  # another run
    names.append(client.join())
    assert len(set(names)) == 4
    assert all(name is None or len(name) == 32 for name in names)


def test_the_session_before_keeps_its_name_until_the_new_one_is_bound(client: Client) -> None:
    client.join()
    request = client.request()
    assert request.name is not None
    assert client.scheme.name_in_force is None
    client.take({"status": "ok"}, request.name)
    assert client.scheme.name_in_force == request.name


def test_a_name_that_is_taken_is_changed_three_times(client: Client) -> None:
    names = [client.request().name]
    for _ in range(3):
        client.take(TAKEN, names[-1])
        assert client.scheme.refusal is None
        names.append(client.again().name)
    assert len(set(names)) == 4
    client.take(TAKEN, names[-1])
    assert (client.scheme.refusal, client.scheme.refused_as) == ("take another", SessionNameTaken)
    assert client.request().name not in names
    assert client.scheme.refusal is None


def test_with_another_name_it_goes_on(client: Client) -> None:
    client.request()
    client.take(TAKEN, "the first")
    name = client.again().name
    client.take({"status": "ok"}, name)
    assert (client.scheme.name_in_force, client.scheme.refusal) == (name, None)


def test_the_answers_to_what_was_repeated_cost_no_name(client: Client) -> None:
    """bind_request goes out five times a second: under one name several answers may come."""
    client.request()
    client.take(TAKEN, "the first")
    name = client.again().name
    for _ in range(10):
        client.take(TAKEN, "the first")
    assert client.scheme.refusal is None
    client.take({"status": "ok"}, name)
    assert client.scheme.name_in_force == name


def test_another_refusal_is_told_apart(client: Client) -> None:
    client.request()
    client.take(FULL, "the first")
    assert (client.scheme.refusal, client.scheme.refused_as) == ("no place", TooManySessions)


# goodbye


def test_goodbye_in_every_session_that_may_be_bound(client: Client) -> None:
    assert client.scheme.farewells() == []
    client.join()
    old = client.scheme.farewells()
    assert [(p.channel, p.msg_type, p.content) for p in old] == [
        (C, "bind_request", {"leaves": True})
    ]
    request = client.request()
    new, same = client.scheme.farewells()
    assert (new.session, new.name, same) == (request.session, request.name, old[0])
    client.take({"status": "ok"}, request.name)
    assert client.scheme.farewells() == [new]


# a forked child


def test_a_forked_child_is_no_client(client: Client) -> None:
    client.join()
    session = client.end.session
    assert session is not None
    client.scheme.forget()
    assert client.scheme.seal(S, [], Address(())) is None
    with pytest.raises(UnknownSession):
        client.scheme.seal(C, [], Address((), session.id.hex()))
    assert client.scheme.ping() is None
    assert client.scheme.due(100.0) == ()
    client.scheme.renew(100.0)
    with pytest.raises(LocalProtocolError):
        client.scheme.due(100.0)


def test_gaps_are_those_of_who_asks_and_of_what_it_replaced(stage: Stage) -> None:
    kernel = KernelChannelHmac(stage.kernel)
    owner, guest = stage.owner(), stage.guest()
    peer, other = owner.join(), guest.join()
    for visitor in (owner, guest, guest):
        visitor.seal(S)
        visitor.send(S)
    assert kernel.gaps_for(peer)["gaps"][S] == 1
    assert kernel.gaps_for(peer)["gaps_total"][S] == 3
    assert kernel.gaps_for(other).keys() == {"gaps"}
    assert kernel.gaps_for(other)["gaps"][S] == 2
    owner.shake()
    owner.bind(replaces=peer.session)
    owner.end.bound()
    owner.send(S)
    owner.seal(S)
    assert kernel.gaps_for(owner.send(S))["gaps"][S] == 2
