"""Section 3: for how many clients there is a place, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.channel_hmac.keys import SessionKeys
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.errors import ConfigError, TooManySessions, UnknownSession
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from conftest import Stage, Visitor

    from minikernel.auth.keys import SecretKey

C, S = Channel.CONTROL, Channel.SHELL


@pytest.fixture
def stage(stage_with: type[Stage]) -> Stage:
    return stage_with(limits=SessionLimits(challenges=1000))


def fill(*visitors: Visitor) -> None:
    for visitor in visitors:
        visitor.join()


def turn_away(visitor: Visitor) -> None:
    visitor.shake()
    with pytest.raises(TooManySessions):
        visitor.bind()
    with pytest.raises(UnknownSession):
        visitor.send(S)


def test_at_most_32_sessions(stage: Stage) -> None:
    fill(*(stage.owner() for _ in range(32)))
    turn_away(stage.owner())
    turn_away(stage.guest())


def test_at_most_16_of_all_invitations(stage: Stage) -> None:
    fill(*(stage.guest(f"guest{n // 4}") for n in range(16)))
    turn_away(stage.guest("another"))
    turn_away(stage.guest("guest1"))
    fill(*(stage.owner() for _ in range(16)))
    turn_away(stage.owner())


def test_at_most_4_of_one_invitation(stage: Stage) -> None:
    fill(*(stage.guest() for _ in range(4)))
    turn_away(stage.guest())
    fill(stage.guest("bob"), stage.guest("alice", rights=1))


def test_a_publish_has_room_for_1024_sessions() -> None:
    SessionLimits(sessions=1024)
    for sessions in (0, 1025):
        with pytest.raises(ConfigError):
            SessionLimits(sessions=sessions)


def test_who_is_turned_away_is_told_so(stage: Stage) -> None:
    fill(*(stage.guest() for _ in range(4)))
    late = stage.guest()
    late.shake()
    peer = late.send(C)
    assert not peer.admitted
    sealed = stage.kernel.seal(C, [b"TooManySessions"], peer)
    assert sealed is not None
    late.end.open(C, sealed.signature, [b"TooManySessions"], [])
    stage.now += 10.0
    with pytest.raises(UnknownSession):
        late.send(C)
    stage.kernel.expire(stage.now)
    with pytest.raises(UnknownSession):
        stage.kernel.seal(C, [], peer)


def test_who_is_turned_away_may_ask_again(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    late = stage.guest()
    turn_away(late)
    stage.kernel._close(guests[0].send(S).handle)
    assert late.send(C).admitted
    late.send(S)


def test_a_newcomer_takes_the_place_of_its_own_longest_silent_session(stage: Stage) -> None:
    owner, bob = stage.owner(), stage.guest("bob")
    guests = [stage.guest() for _ in range(4)]
    fill(owner, bob)
    for guest in (guests[2], guests[0], guests[1], guests[3]):
        guest.join()
        stage.now += 0.1
    stage.now += 8.0
    guests[2].send(S)
    late = stage.guest()
    turn_away(late)  # nobody is silent for 10 seconds
    stage.now += 1.9
    late.bind()
    late.send(S)
    with pytest.raises(UnknownSession):
        guests[0].send(S)
    for visitor in (owner, bob, guests[1], guests[2], guests[3]):
        visitor.send(S)


def test_a_ping_breaks_the_silence(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    stage.now += 9.0
    for guest in guests:
        stage.kernel.pong(guest.session.ping(), stage.now)
    stage.now += 9.0
    turn_away(stage.guest())


@pytest.mark.parametrize(("busy", "silence"), [(False, 10.0), (True, 30.0)])
def test_who_may_have_a_request_queued_is_not_displaced_so_soon(
    stage: Stage, busy: bool, silence: float
) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    late = stage.guest()
    stage.now += silence - 0.1
    late.shake()
    with pytest.raises(TooManySessions):
        stage.kernel.bind(late.send(C), None, stage.now, busy=busy)
    stage.now += 0.2
    stage.kernel.bind(late.send(C), None, stage.now, busy=busy)
    late.send(S)
    with pytest.raises(UnknownSession):
        guests[0].send(S)


@pytest.mark.parametrize(
    ("sessions", "invited"), [(1, 0), (2, 1), (3, 1), (8, 4), (16, 8), (32, 16), (40, 16)]
)
def test_invitations_never_have_all_places(
    stage_with: type[Stage], sessions: int, invited: int
) -> None:
    stage = stage_with(limits=SessionLimits(sessions=sessions, challenges=1000))
    fill(*(stage.guest(f"guest{n // 4}") for n in range(invited)))
    turn_away(stage.guest("another"))
    fill(*(stage.owner() for _ in range(sessions - invited)))
    turn_away(stage.owner())


# goodbye


def leave(visitor: Visitor) -> None:
    visitor.stage.kernel.leave(visitor.send(C))


def test_who_says_goodbye_gives_the_place_back(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    late = stage.guest()
    turn_away(late)
    leave(guests[0])
    late.bind()
    late.send(S)
    for channel in (C, S):
        with pytest.raises(UnknownSession):
            guests[0].send(channel)


def test_a_goodbye_takes_nobody_s_place(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    stage.now += 100.0
    late = stage.guest()
    late.shake()
    leave(late)
    for guest in guests:
        guest.send(S)
    with pytest.raises(UnknownSession):
        late.send(C)


def test_nothing_can_be_said_to_who_has_gone_nor_taken_over_from_it(stage: Stage) -> None:
    owner = stage.owner()
    peer = owner.join()
    old = owner.session.id.hex()
    leave(owner)
    assert stage.kernel.current(peer) is None
    with pytest.raises(UnknownSession):
        stage.kernel.seal(S, [b"reply"], peer)
    owner.shake()
    assert owner.bind(replaces=old) is None


def test_a_goodbye_ends_what_was_inherited_too(stage: Stage) -> None:
    owner = stage.owner()
    peer = owner.join()
    owner.shake()
    assert owner.bind(replaces=peer.session) is not None
    owner.end.bound()
    leave(owner)
    assert stage.kernel.current(peer) is None


def test_five_welcomes_a_second_for_each_session(stage: Stage) -> None:
    owner, guest = stage.owner().join(), stage.guest().join()
    may = stage.kernel.may_welcome
    assert [may(owner, 0.0) for _ in range(7)] == 5 * [True] + 2 * [False]
    assert may(guest, 0.5)
    assert not may(owner, 0.9)
    assert [may(owner, 1.0) for _ in range(6)] == 5 * [True] + [False]


def test_forgeries_don_t_break_the_silence(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    stage.now += 30.0
    for guest in guests:
        with pytest.raises(Exception, match="tag"):
            guest.deliver(S, guest.seal(S), [b"changed"])
    stage.guest().join()


def test_another_client_s_silent_session_is_not_taken(stage: Stage) -> None:
    fill(*(stage.owner() for _ in range(32)))
    stage.now += 100.0
    turn_away(stage.guest())
    stage.owner().join()


def test_at_a_limit_a_session_may_still_be_replaced(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    old = guests[0].session
    stage.now += 31.0
    guests[0].shake()
    assert guests[0].bind(old.id.hex()) is not None
    for guest in guests:  # no other session had to go for it
        guest.send(S)


def test_the_heir_can_speak_before_the_old_session_ends(stage: Stage) -> None:
    guests = [stage.guest() for _ in range(4)]
    fill(*guests)
    old = guests[0].send(S).handle
    guests[0].shake()
    successor = guests[0].send(C)
    assert not successor.admitted
    confirmed = []

    class Lock:
        def __enter__(self) -> None:
            confirmed.append(successor.handle.confirmed)

        def __exit__(self, *_: object) -> None:
            pass

    old.channels[S].lock = Lock()
    stage.kernel.bind(successor, old.hex, stage.now)
    assert confirmed == [True]


def test_an_idle_session_is_dropped_after_15_minutes(stage: Stage) -> None:
    idle, pinging = stage.owner(), stage.owner()
    fill(idle, pinging)
    stage.now += 899.0
    assert stage.kernel.expire(stage.now) == []
    stage.kernel.pong(pinging.session.ping(), stage.now)
    stage.now += 1.0
    assert stage.kernel.expire(stage.now) == [idle.session.id.hex()]
    with pytest.raises(UnknownSession):
        idle.send(S)
    pinging.send(S)


def test_no_other_thread_finds_a_channel_of_a_session_that_is_not_confirmed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = stage.owner()
    visitor.shake()
    (session,) = stage.kernel._table
    seen = []
    key = SessionKeys.key

    def watched(*args: Any) -> SecretKey:  # a moment when the other thread may have its turn
        seen.append(S in session.channels and not session.confirmed)
        return key(*args)

    monkeypatch.setattr(SessionKeys, "key", watched)
    visitor.bind()
    assert session.confirmed
    assert len(seen) > 1
    assert not any(seen)
