"""The client's end: the handshake, and section 5 as a client does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac.frames import (
    DATA_CHANNELS,
    NOBODY,
    Type,
    header,
    mac,
    unsigned_challenge,
)
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.keys import SecretKey
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    FramingError,
    LocalProtocolError,
    NoTag,
    RemoteProtocolError,
    ReplayedCounter,
    UnknownSession,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Stage, Visitor

    from minikernel.auth.channel_hmac.kernel import ClientPeer

C, S, IN, IOPUB = Channel.CONTROL, Channel.SHELL, Channel.STDIN, Channel.IOPUB
FRAMES = [b"header", b"parent", b"metadata", b"content", b"buffer"]


def flip(auth: bytes, at: int) -> bytes:
    return auth[:at] + bytes([auth[at] ^ 1]) + auth[at + 1 :]


def with_counter(auth: bytes, counter: int) -> bytes:
    return auth[:16] + counter.to_bytes(8, "big") + auth[24:]


def snapshot(visitor: Visitor) -> object:
    end = visitor.end
    return [
        (
            s.id,
            {c: (x.received.last, x.received.gaps) for c, x in s.channels.items()},
            (s.published.counter.last, s.published.counter.gaps),
            list(s._pings),
        )
        for s in (end.session, end.candidate)
        if s is not None
    ]


def refuse(
    error: type[RemoteProtocolError],
    visitor: Visitor,
    channel: Channel,
    auth: bytes,
    frames: Sequence[bytes] = FRAMES,
    *,
    route: Sequence[bytes] = (),
) -> None:
    before = snapshot(visitor)
    with pytest.raises(error) as caught:
        visitor.end.open(channel, auth, frames, route)
    assert type(caught.value) is error
    assert snapshot(visitor) == before


@pytest.fixture
def newcomer(stage: Stage) -> Visitor:
    return stage.owner()


@pytest.fixture
def owner(stage: Stage) -> Visitor:
    """A client with a route on each channel."""
    visitor = stage.owner()
    visitor.join()
    visitor.send(IN)
    return visitor


@pytest.fixture
def peer(owner: Visitor) -> ClientPeer:
    """The owner as the kernel sees it."""
    return owner.send(S)


def seal(stage: Stage, channel: Channel, peer: ClientPeer) -> bytes:
    sealed = stage.kernel.seal(channel, FRAMES, peer)
    assert sealed is not None
    return sealed.signature


# The handshake


def test_each_hello_has_a_new_nonce(newcomer: Visitor) -> None:
    assert len({newcomer.end.hello()[24:56] for _ in range(10)}) == 10


@pytest.mark.parametrize("at", range(112))
def test_every_byte_of_a_challenge_is_signed(stage: Stage, newcomer: Visitor, at: int) -> None:
    challenge = stage.kernel.hello(newcomer.end.hello(), stage.now)
    assert len(challenge) == 112
    with pytest.raises((BadSignature, FramingError)):
        newcomer.end.challenge(flip(challenge, at))
    assert newcomer.end.candidate is None
    newcomer.end.challenge(challenge)


def test_a_kernel_with_another_key_is_a_stranger(newcomer: Visitor) -> None:
    hello = newcomer.end.hello()
    unsigned = unsigned_challenge(b"session.", bytes(16), bytes(32), 0)
    mallory = Master(SecretKey(b"a key of mallory's own"))
    for credential in (mallory.owner(), newcomer.stage.master.invite("mallory", 255)):
        fake = unsigned + mac(credential.challenge_key, hello, unsigned)
        with pytest.raises(BadSignature):
            newcomer.end.challenge(fake)


def test_only_the_latest_hello_s_challenge_counts(stage: Stage, newcomer: Visitor) -> None:
    late = stage.kernel.hello(newcomer.end.hello(), stage.now)
    latest = stage.kernel.hello(newcomer.end.hello(), stage.now)
    with pytest.raises(BadSignature):
        newcomer.end.challenge(late)
    newcomer.end.challenge(latest)


def test_a_challenge_without_a_hello(stage: Stage, newcomer: Visitor) -> None:
    challenge = stage.kernel.hello(stage.owner().end.hello(), stage.now)
    with pytest.raises(ChallengeError):
        newcomer.end.challenge(challenge)


def test_a_challenge_opens_one_session(stage: Stage, newcomer: Visitor) -> None:
    """Else a recorded one would set the counters back."""
    challenge = stage.kernel.hello(newcomer.end.hello(), stage.now)
    session = newcomer.end.challenge(challenge)
    with pytest.raises(ChallengeError):
        newcomer.end.challenge(challenge)
    assert newcomer.end.candidate is session


def test_one_client_s_challenge_is_not_another_s(stage: Stage) -> None:
    alice, bob = stage.guest("alice"), stage.guest("bob")
    bob.end.hello()
    challenge = stage.kernel.hello(alice.end.hello(), stage.now)
    with pytest.raises(BadSignature):
        bob.end.challenge(challenge)


def test_the_old_session_stays_in_force_until_the_new_one_is_bound(
    stage: Stage, owner: Visitor, peer: ClientPeer
) -> None:
    old = owner.end.session
    owner.shake()
    assert (owner.end.session, owner.end.candidate) == (old, owner.session)
    owner.end.open(S, seal(stage, S, peer), FRAMES, [])
    late = seal(stage, S, peer)
    owner.end.bound()
    assert owner.end.session is not old
    refuse(UnknownSession, owner, S, late)


def test_bound_without_a_candidate_changes_nothing(owner: Visitor) -> None:
    session = owner.end.session
    owner.end.bound()
    assert owner.end.session is session


# DATA


def test_the_session_that_spoke(stage: Stage, owner: Visitor, peer: ClientPeer) -> None:
    opened = owner.end.open(S, seal(stage, S, peer), FRAMES, [])
    assert opened == ((), owner.session.id.hex())


@pytest.mark.parametrize("kind", [kind for kind in Type if kind is not Type.DATA])
def test_only_data_is_a_message(stage: Stage, owner: Visitor, peer: ClientPeer, kind: Type) -> None:
    auth = seal(stage, S, peer)
    refuse(FramingError, owner, S, auth[:4] + bytes([kind]) + auth[5:])


def test_heartbeat_carries_no_data(owner: Visitor) -> None:
    auth = header(Type.DATA, Channel.HEARTBEAT, owner.session.id, 1) + bytes(32)
    refuse(FramingError, owner, Channel.HEARTBEAT, auth)
    with pytest.raises(LocalProtocolError):
        owner.seal(Channel.HEARTBEAT)


@pytest.mark.parametrize("channel", DATA_CHANNELS)
def test_cross_channel(stage: Stage, owner: Visitor, peer: ClientPeer, channel: Channel) -> None:
    auth = seal(stage, channel, peer)
    for other in set(DATA_CHANNELS) - {channel}:
        refuse(FramingError, owner, other, auth)
        relabelled = auth[:5] + owner.seal(other)[5:6] + auth[6:]
        refuse(BadSignature, owner, other, relabelled)
    owner.end.open(channel, auth, FRAMES, [])


def test_replay(stage: Stage, owner: Visitor, peer: ClientPeer) -> None:
    recorded = [seal(stage, S, peer) for _ in range(3)]
    for auth in recorded:
        owner.end.open(S, auth, FRAMES, [])
    for auth in recorded:
        refuse(ReplayedCounter, owner, S, auth)


def test_a_dropped_reply_is_a_gap(stage: Stage, owner: Visitor, peer: ClientPeer) -> None:
    seal(stage, S, peer)
    owner.end.open(S, seal(stage, S, peer), FRAMES, [])
    assert owner.session.channels[S].received.gaps == 1


def test_a_forgery_does_not_spend_the_counter(
    stage: Stage, owner: Visitor, peer: ClientPeer
) -> None:
    auth = seal(stage, S, peer)
    refuse(BadSignature, owner, S, with_counter(auth, 2**64 - 1))
    owner.end.open(S, auth, FRAMES, [])


@pytest.mark.parametrize("at", range(56))
def test_every_byte_of_auth_counts(stage: Stage, owner: Visitor, peer: ClientPeer, at: int) -> None:
    before = snapshot(owner)
    with pytest.raises(RemoteProtocolError):
        owner.end.open(S, flip(seal(stage, S, peer), at), FRAMES, [])
    assert snapshot(owner) == before


def test_a_changed_frame(stage: Stage, owner: Visitor, peer: ClientPeer) -> None:
    refuse(BadSignature, owner, S, seal(stage, S, peer), [*FRAMES[:4], b"changed"])


def test_reflection(owner: Visitor) -> None:
    refuse(BadSignature, owner, S, owner.seal(S, FRAMES))


def test_before_the_handshake_nobody_is_known(newcomer: Visitor) -> None:
    auth = header(Type.DATA, S, NOBODY, 1) + bytes(32)
    refuse(UnknownSession, newcomer, S, auth)


def test_counters_of_requests(owner: Visitor) -> None:
    sent = owner.session.channels[IN].sent.last
    auth = owner.session.seal(IN, FRAMES)
    assert int.from_bytes(auth[16:24], "big") == sent + 1 == owner.session.channels[IN].sent.last


# PUBLISH


def publish(stage: Stage) -> bytes:
    return stage.kernel.publish(b"topic", FRAMES)


def test_iopub(stage: Stage, owner: Visitor) -> None:
    opened = owner.end.open(IOPUB, publish(stage), FRAMES, [b"topic"])
    assert opened == ((b"topic",), owner.session.id.hex())


def test_gaps_are_counted_from_the_first_that_verified(stage: Stage, newcomer: Visitor) -> None:
    publish(stage)
    newcomer.shake()
    publish(stage)  # before the kernel knew us
    newcomer.send(C)
    publish(stage)
    newcomer.end.open(IOPUB, publish(stage), FRAMES, [b"topic"])
    counter = newcomer.session.published.counter
    assert (counter.last, counter.gaps) == (4, 0)
    publish(stage)
    publish(stage)
    newcomer.end.open(IOPUB, publish(stage), FRAMES, [b"topic"])
    assert counter.gaps == 2


def test_what_was_published_before_the_challenge_is_old(stage: Stage, newcomer: Visitor) -> None:
    for _ in range(3):
        publish(stage)
    newcomer.join()
    auth = publish(stage)
    refuse(ReplayedCounter, newcomer, IOPUB, with_counter(auth, 3), route=[b"topic"])
    newcomer.end.open(IOPUB, auth, FRAMES, [b"topic"])


@pytest.mark.parametrize("route", [[], [b"topic", b"topic"], [b"", b"topic"]])
def test_one_topic(stage: Stage, owner: Visitor, route: list[bytes]) -> None:
    refuse(FramingError, owner, IOPUB, publish(stage), route=route)


def test_the_topic_is_signed(stage: Stage, owner: Visitor) -> None:
    auth = publish(stage)
    refuse(BadSignature, owner, IOPUB, auth, route=[b"Topic"])
    refuse(BadSignature, owner, IOPUB, auth, FRAMES[1:], route=[b"topic" + FRAMES[0]])


def test_replay_of_iopub(stage: Stage, owner: Visitor) -> None:
    auth = publish(stage)
    owner.end.open(IOPUB, auth, FRAMES, [b"topic"])
    refuse(ReplayedCounter, owner, IOPUB, auth, route=[b"topic"])


def test_a_publish_without_a_tag_of_ours(stage: Stage, owner: Visitor, peer: ClientPeer) -> None:
    stage.owner().join()
    stage.kernel._close(peer.handle)
    refuse(NoTag, owner, IOPUB, publish(stage), route=[b"topic"])


def test_a_publish_of_another_run(owner: Visitor, stage_with: type[Stage]) -> None:
    refuse(UnknownSession, owner, IOPUB, publish(stage_with()), route=[b"topic"])


@pytest.mark.parametrize("at", range(50))
def test_every_byte_of_a_publish_counts(stage: Stage, owner: Visitor, at: int) -> None:
    auth = publish(stage)
    assert len(auth) == 50
    before = snapshot(owner)
    with pytest.raises(RemoteProtocolError):
        owner.end.open(IOPUB, flip(auth, at), FRAMES, [b"topic"])
    assert snapshot(owner) == before


def test_another_client_s_tag_is_not_ours(stage: Stage) -> None:
    alice, bob = stage.guest("alice"), stage.guest("bob")
    alice.join()
    auth = publish(stage)  # alice could make this one
    bob.join()
    forged = with_counter(auth[:26] + bob.session.id + auth[34:], 9)
    refuse(BadSignature, bob, IOPUB, forged, route=[b"topic"])


def test_the_tags_of_others_are_none_of_our_business(stage: Stage) -> None:
    alice, bob = stage.guest("alice"), stage.guest("bob")
    alice.join()
    bob.join()
    auth = publish(stage)
    bob.end.open(IOPUB, flip(auth, 40), FRAMES, [b"topic"])
    refuse(BadSignature, alice, IOPUB, flip(auth, 40), route=[b"topic"])


def test_what_the_old_session_saw_is_not_shown_again_in_the_new_one(
    stage: Stage, owner: Visitor
) -> None:
    old = owner.session
    owner.shake()
    owner.send(C)  # from now on a PUBLISH has a tag for both
    auth = publish(stage)
    assert owner.end.open(IOPUB, auth, FRAMES, [b"topic"]).session == owner.session.id.hex()
    owner.bind(old.id.hex())
    owner.end.bound()
    refuse(ReplayedCounter, owner, IOPUB, auth, route=[b"topic"])


def test_until_the_new_session_is_confirmed_the_old_one_s_tags_count(
    stage: Stage, owner: Visitor
) -> None:
    old = owner.session
    owner.shake()
    assert owner.end.open(IOPUB, publish(stage), FRAMES, [b"topic"]).session == old.id.hex()


def test_outputs_missed_while_shaking_hands_again_are_gaps(stage: Stage, owner: Visitor) -> None:
    old = owner.session
    owner.end.open(IOPUB, publish(stage), FRAMES, [b"topic"])
    publish(stage)
    owner.shake()
    owner.bind(old.id.hex())
    owner.end.bound()
    owner.end.open(IOPUB, publish(stage), FRAMES, [b"topic"])
    assert owner.session.published.counter.gaps == 1


def test_a_restarted_kernel_counts_from_its_own_start(
    stage: Stage, owner: Visitor, stage_with: type[Stage]
) -> None:
    for _ in range(5):
        owner.end.open(IOPUB, publish(stage), FRAMES, [b"topic"])
    owner.stage = again = stage_with()
    owner.shake()
    owner.bind()
    owner.end.open(IOPUB, publish(again), FRAMES, [b"topic"])
    owner.end.bound()
    refuse(UnknownSession, owner, IOPUB, publish(stage), route=[b"topic"])


# Heartbeat


def refuse_pong(error: type[RemoteProtocolError], visitor: Visitor, auth: bytes) -> None:
    before = snapshot(visitor)
    with pytest.raises(error) as caught:
        visitor.end.pong(auth)
    assert type(caught.value) is error
    assert snapshot(visitor) == before


def test_only_an_outstanding_ping_is_answered(stage: Stage, owner: Visitor) -> None:
    pings = [owner.session.ping() for _ in range(3)]
    pongs = [stage.kernel.pong(ping, stage.now) for ping in pings]
    assert owner.end.pong(pongs[1]) == 2
    assert owner.session._pings == [3]
    refuse_pong(ReplayedCounter, owner, pongs[1])
    refuse_pong(ReplayedCounter, owner, pongs[0])
    assert owner.end.pong(pongs[2]) == 3
    refuse_pong(ReplayedCounter, owner, with_counter(pongs[2], 4))


def test_a_forged_pong_answers_nothing(stage: Stage, owner: Visitor) -> None:
    ping = owner.session.ping()
    pong = stage.kernel.pong(ping, stage.now)
    for at in range(56):
        with pytest.raises(RemoteProtocolError):
            owner.end.pong(flip(pong, at))
    refuse_pong(FramingError, owner, ping)
    refuse_pong(BadSignature, owner, ping[:4] + bytes([Type.PONG]) + ping[5:])
    assert owner.end.pong(pong) == 1


def test_pings_without_an_answer_are_given_up(owner: Visitor) -> None:
    for _ in range(100):
        owner.session.ping()
    assert owner.session._pings == list(range(37, 101))
