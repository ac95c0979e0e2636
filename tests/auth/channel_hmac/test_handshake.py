"""Section 3: which HELLO gets a CHALLENGE."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac.frames import mac, unsigned_hello
from minikernel.auth.channel_hmac.kernel import KernelEnd
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.auth.keys import SecretKey
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    ConfigError,
    FramingError,
    LocalProtocolError,
    UnknownSession,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from conftest import Stage


def sessions(stage: Stage) -> int:
    return len(list(stage.kernel._table))


def test_a_short_key_makes_no_kernel() -> None:
    with pytest.raises(ConfigError):
        KernelEnd(SecretKey(b"short"), entropy=os.urandom)


@pytest.mark.parametrize("at", range(24, 99))
def test_every_byte_of_a_hello_is_signed(stage: Stage, at: int) -> None:
    hello = bytearray(stage.guest().end.hello())
    assert len(hello) == 99
    hello[at] ^= 1
    with pytest.raises((BadSignature, FramingError)):
        stage.kernel.hello(bytes(hello), stage.now)
    assert sessions(stage) == 0


@pytest.mark.parametrize(
    ("client_id", "rights"),
    [("", 255), ("alice", 0), ("alice", 256), ("alice", 0xFFFFFFFF), ("al ice", 1)],
)
def test_even_with_the_master_key_nobody_is_what_no_client_can_be(
    stage: Stage, client_id: str, rights: int
) -> None:
    unsigned = unsigned_hello(bytes(32), rights, client_id)
    credential = stage.master.credential(client_id, rights)
    with pytest.raises(FramingError):
        stage.kernel.hello(unsigned + mac(credential.hello_key, unsigned), stage.now)


def test_an_invitation_can_t_widen_its_rights(stage: Stage) -> None:
    credential = stage.master.invite("alice", 1)
    for client_id, rights in (("alice", 3), ("bob", 1), ("", 0xFFFFFFFF)):
        unsigned = unsigned_hello(bytes(32), rights, client_id)
        with pytest.raises(BadSignature):
            stage.kernel.hello(unsigned + mac(credential.hello_key, unsigned), stage.now)


def test_another_key_s_client_is_a_stranger(stage: Stage) -> None:
    stage.master = Master(SecretKey(b"the key of another kernel"))
    with pytest.raises(BadSignature):
        stage.owner().shake()


def test_a_hello_is_answered_once(stage: Stage) -> None:
    hello = stage.owner().end.hello()
    stage.kernel.hello(hello, stage.now)
    for _ in range(2):
        with pytest.raises(ChallengeError):
            stage.kernel.hello(hello, stage.now)
    assert sessions(stage) == 1


def test_refused_ids(stage_with: type[Stage]) -> None:
    stage = stage_with(refuse=["mallory"])
    with pytest.raises(ChallengeError):
        stage.guest("mallory").shake()
    assert sessions(stage) == 0
    stage.guest("alice").shake()


def test_a_client_gets_50_challenges_a_second(stage: Stage) -> None:
    alice, bob, owner = stage.guest("alice"), stage.guest("bob"), stage.owner()
    for n in range(50):
        stage.now += 0.001 * n / 50
        alice.shake()
    with pytest.raises(ChallengeError):
        alice.shake()
    bob.shake()
    owner.shake()
    stage.guest("alice", rights=1).shake()
    stage.now += 1.0
    alice.shake()


def test_a_hello_beyond_the_budget_may_come_again(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(challenges=1))
    owner = stage.owner()
    owner.shake()
    hello = owner.end.hello()
    with pytest.raises(ChallengeError):
        stage.kernel.hello(hello, stage.now)
    stage.kernel.hello(hello, stage.now + 1.0)


def test_a_forged_hello_takes_nothing_from_the_budget(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(challenges=1))
    hello = stage.owner().end.hello()
    for _ in range(3):
        with pytest.raises(BadSignature):
            stage.kernel.hello(hello[:-1] + bytes([hello[-1] ^ 1]), stage.now)
    stage.kernel.hello(hello, stage.now)


def test_a_replayed_hello_takes_nothing_from_the_budget(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(challenges=2))
    hello = stage.owner().end.hello()
    stage.kernel.hello(hello, stage.now)
    for _ in range(3):
        with pytest.raises(ChallengeError):
            stage.kernel.hello(hello, stage.now)
    stage.owner().shake()


def test_the_nonce_memory_is_first_in_first_out(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(nonces=3))
    hellos = [stage.owner().end.hello() for _ in range(4)]
    for hello in hellos:
        stage.kernel.hello(hello, stage.now)
    for hello in hellos[1:]:
        with pytest.raises(ChallengeError):
            stage.kernel.hello(hello, stage.now)
    stage.kernel.hello(hellos[0], stage.now)  # forgotten: safety does not rest on it


def test_one_client_s_nonces_don_t_push_out_another_s(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(nonces=1))
    hello = stage.owner().end.hello()
    stage.kernel.hello(hello, stage.now)
    stage.guest().shake()
    stage.guest().shake()
    with pytest.raises(ChallengeError):
        stage.kernel.hello(hello, stage.now)


def test_a_client_has_at_most_64_unconfirmed_sessions(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(challenges=1000))
    guests = [stage.guest() for _ in range(65)]
    another = stage.guest("bob")
    another.shake()
    for guest in guests:
        guest.shake()
    assert sessions(stage) == 65
    with pytest.raises(UnknownSession):
        guests[0].send(Channel.CONTROL)
    for visitor in (another, guests[1], guests[64]):
        visitor.send(Channel.CONTROL)


def test_few_unconfirmed_sessions_push_out_none(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(40)]
    for guest in guests:
        guest.shake()
    assert sessions(stage) == 40


def test_confirmed_sessions_are_not_pushed_out(stage_with: type[Stage]) -> None:
    stage = stage_with(limits=SessionLimits(unconfirmed=1))
    first, second = stage.guest(), stage.guest()
    first.join()
    second.shake()
    stage.guest().shake()
    first.send(Channel.SHELL)
    with pytest.raises(UnknownSession):
        second.send(Channel.CONTROL)


def test_an_unconfirmed_session_is_gone_after_10_seconds(stage: Stage) -> None:
    early, late = stage.owner(), stage.owner()
    early.shake()
    late.shake()
    stage.now += 9.9
    early.send(Channel.CONTROL)
    stage.now += 0.1
    with pytest.raises(UnknownSession):
        late.send(Channel.CONTROL)
    assert sessions(stage) == 2
    assert stage.kernel.expire(stage.now) == []
    assert sessions(stage) == 1
    early.send(Channel.SHELL)


@pytest.mark.parametrize("unfit", [bytes(8), b"in use.."])
def test_a_session_id_is_drawn_again(unfit: bytes) -> None:
    ids = [b"in use..", unfit, b"free...."]

    def entropy(length: int) -> bytes:
        return ids.pop(0) if length == 8 else os.urandom(length)

    key = SecretKey(bytes(16))
    kernel = KernelEnd(key, entropy=entropy)
    for nonce in (bytes(32), b"1" * 32):
        unsigned = unsigned_hello(nonce, 0xFFFFFFFF, "")
        kernel.hello(unsigned + mac(Master(key).owner().hello_key, unsigned), 0.0)
    assert [s.id for s in kernel._table] == [b"in use..", b"free...."]


def test_each_challenge_is_another(stage: Stage) -> None:
    first, second = (stage.kernel.hello(stage.owner().end.hello(), stage.now) for _ in "12")
    assert first[8:16] != second[8:16]
    assert first[24:40] == second[24:40] == stage.kernel.run_id
    assert first[40:72] != second[40:72]


def test_a_challenge_has_the_counter_of_the_last_publish(stage: Stage) -> None:
    assert stage.kernel.hello(stage.owner().end.hello(), stage.now)[72:80] == bytes(8)
    for _ in range(3):
        stage.kernel.publish(b"", [])
    assert stage.kernel.hello(stage.owner().end.hello(), stage.now)[72:80] == bytes(7) + b"\3"


def test_a_child_has_forgotten_the_keys(stage: Stage) -> None:
    owner = stage.owner()
    peer = owner.join()
    stage.kernel.forget()
    with pytest.raises(LocalProtocolError):
        owner.shake()
    with pytest.raises(LocalProtocolError):
        stage.kernel.publish(b"", [])
    with pytest.raises(LocalProtocolError):
        stage.kernel.seal(Channel.SHELL, [], peer)
    with pytest.raises(UnknownSession):
        owner.send(Channel.SHELL)
    assert peer.handle.channels == {}
