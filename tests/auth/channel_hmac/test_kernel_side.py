"""The kernel's side of the seam: who may say what, and who hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac.frames import parse_publication
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.auth.scheme import Sealed
from minikernel.errors import (
    ContentError,
    FramingError,
    LocalProtocolError,
    TooManySessions,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from conftest import Stage

    from minikernel.auth.channel_hmac.kernel import ClientPeer

C, S, P, H = Channel.CONTROL, Channel.SHELL, Channel.IOPUB, Channel.HEARTBEAT
FRAMES = [b"header", b"parent", b"metadata", b"content"]


def seam(stage: Stage) -> KernelChannelHmac:
    return KernelChannelHmac(stage.kernel)


@pytest.fixture
def kernel(stage: Stage) -> KernelChannelHmac:
    return seam(stage)


def test_hello_on_control_and_nowhere_else(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    hello = owner.end.hello()
    for channel in set(Channel) - {C}:
        with pytest.raises(FramingError):
            kernel.greet(channel, hello, (b"x",), stage.now)
    challenge = kernel.greet(C, hello, (b"x",), stage.now)
    assert challenge is not None
    assert owner.end.challenge(challenge)


def test_a_request_and_its_reply(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    owner.join()
    peer = kernel.open(S, owner.seal(S, FRAMES), FRAMES, owner.routes[S], stage.now)
    assert (peer.session, peer.route) == (owner.session.id.hex(), owner.routes[S])
    sealed = kernel.seal(S, FRAMES, peer)
    assert isinstance(sealed, Sealed)
    assert sealed.route == owner.routes[S]
    owner.end.open(S, sealed.signature, FRAMES, ())


@pytest.mark.parametrize("channel", [P, H])
def test_no_data_elsewhere(stage: Stage, kernel: KernelChannelHmac, channel: Channel) -> None:
    owner = stage.owner()
    owner.join()
    with pytest.raises(FramingError):
        kernel.open(channel, owner.seal(S), FRAMES, (), stage.now)


def test_no_way_to_a_channel_yet(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    owner.shake()
    peer = owner.send(C)
    assert kernel.seal(S, FRAMES, peer) is None


def test_publish(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    owner.join()
    sealed = kernel.seal(P, FRAMES, Address((b"stream",)))
    assert sealed is not None
    assert sealed.route == (b"stream",)
    owner.end.open(P, sealed.signature, FRAMES, (b"stream",))
    assert len(parse_publication(sealed.signature).entries) == 24


# claim, may


@pytest.fixture
def crowded(stage_with: type[Stage]) -> tuple[KernelChannelHmac, ClientPeer]:
    """A kernel with one place, which is taken, and who got none."""
    stage = stage_with(limits=SessionLimits(sessions=1))
    stage.owner().join()
    guest = stage.guest(rights=1)
    guest.shake()
    return seam(stage), guest.send(C)


def test_without_a_place_only_bind_request(crowded: tuple[KernelChannelHmac, ClientPeer]) -> None:
    kernel, peer = crowded
    for msg_type in ("kernel_info_request", "execute_request"):  # which it may not anyway
        with pytest.raises(TooManySessions):
            kernel.claim(peer, msg_type, "s")
    assert peer.handle.name is None  # a claim is for those who are in
    kernel.claim(peer, "bind_request", "s")
    with pytest.raises(TooManySessions):
        kernel.bind(peer, None, 0.0)


def test_header_session_comes_before_the_right(stage: Stage, kernel: KernelChannelHmac) -> None:
    peer = stage.guest(rights=1).join()
    kernel.claim(peer, "kernel_info_request", "mine")
    for msg_type in ("kernel_info_request", "execute_request"):
        with pytest.raises(ContentError) as caught:
            kernel.claim(peer, msg_type, "another's")
        assert type(caught.value) is ContentError
    kernel.claim(peer, "execute_request", "mine")
    assert not kernel.may(peer, "execute_request")


@pytest.mark.parametrize(
    ("rights", "allowed", "forbidden"),
    [
        (1, "kernel_info_request", "complete_request"),
        (2, "execute_request", "shutdown_request"),
        (8, "bind_request", "input_reply"),  # answers need execute too
        (10, "input_reply", "comm_msg"),
        (16, "interrupt_request", "shutdown_request"),
        (127, "comm_open", "debug_request"),
    ],
)
def test_rights(
    stage: Stage, kernel: KernelChannelHmac, rights: int, allowed: str, forbidden: str
) -> None:
    peer = stage.guest(rights=rights).join()
    assert kernel.may(peer, allowed)
    assert not kernel.may(peer, forbidden)
    assert kernel.may(stage.owner().join(), forbidden)


# bind


def test_the_content_of_a_bind_reply(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    owner.shake()
    assert kernel.bind(owner.send(C), None, stage.now) == {"status": "ok"}
    owner.end.bound()
    owner.send(S)
    old = owner.session.id.hex()
    owner.shake()
    reply = kernel.bind(owner.send(C), old, stage.now)
    assert reply == {
        "status": "ok",
        "accepted": {"control": 1, "shell": 1, "stdin": 0},
        "gaps": {"control": 0, "shell": 0, "stdin": 0},
        "sent": {"control": 0, "shell": 0, "stdin": 0},
    }


def test_who_gets_what_is_said_to_a_peer(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    peer = owner.join()
    old = owner.session.id.hex()
    assert kernel.current(peer) == old
    owner.shake()
    kernel.bind(owner.send(C), old, stage.now)
    new = owner.session.id.hex()
    assert kernel.current(peer) == new != old
    stage.now += 900
    kernel.expire(stage.now)
    assert kernel.current(peer) is None
    with pytest.raises(UnknownSession):
        kernel.seal(S, FRAMES, peer)


@pytest.mark.parametrize(("rights", "observes"), [(1, True), (254, False), (255, True)])
def test_who_observes(stage: Stage, kernel: KernelChannelHmac, rights: int, observes: bool) -> None:
    assert kernel.observes(stage.guest(rights=rights).join()) is observes


def test_gaps(stage: Stage, kernel: KernelChannelHmac) -> None:
    owner = stage.owner()
    owner.join()
    for n in (1, 2):
        owner.seal(S)
        owner.send(S)
        owner.session.ping()
        kernel.pong(owner.session.ping(), stage.now)
        assert dict(kernel.gaps) == {C: 0, S: n, H: n}


@pytest.mark.parametrize("name", ["open", "pong"])
def test_whoever_is_heard_is_not_idle(stage: Stage, kernel: KernelChannelHmac, name: str) -> None:
    visitor = stage.owner()
    peer = visitor.join()
    stage.now += 899
    if name == "open":
        kernel.open(S, visitor.seal(S, FRAMES), FRAMES, visitor.routes[S], stage.now)
    else:
        kernel.pong(visitor.session.ping(), stage.now)
    stage.now += 899
    kernel.expire(stage.now)
    assert kernel.current(peer)
    stage.now += 1
    kernel.expire(stage.now)
    assert kernel.current(peer) is None


def test_a_forked_child_has_no_keys(stage: Stage, kernel: KernelChannelHmac) -> None:
    peer = stage.owner().join()
    kernel.forget()
    assert kernel.current(peer) is None
    for channel, to in ((S, peer), (P, Address((b"stream",)))):
        with pytest.raises(LocalProtocolError):
            kernel.seal(channel, FRAMES, to)


def test_its_name_and_its_own_types(kernel: KernelChannelHmac) -> None:
    assert kernel.name == "channel-hmac-sha256"
    assert kernel.own_types == {"bind_request"}
