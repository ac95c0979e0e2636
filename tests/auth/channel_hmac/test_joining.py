"""The steps by which a client gets into a session: every row of the table, and no other."""

from __future__ import annotations

from collections import deque

import pytest

from minikernel.auth.channel_hmac.joining import (
    BIND_AGAIN,
    FIRST_RETRY,
    PATIENCE,
    STEPS,
    Event,
    Joining,
    State,
    retry_delay,
)

NOW = 100.0
EVERY = [(state, event) for state in State for event in Event]


@pytest.mark.parametrize(("state", "event"), EVERY)
def test_a_row_is_a_step_and_without_one_nothing_happens(state: State, event: Event) -> None:
    joining = Joining(state, 1.0, 2.0, 3, 4, routed=True, welcomed=True)
    before = Joining(**vars(joining))
    joining.happens(event, NOW)
    row = STEPS.get((state, event))
    if row is None:
        assert joining == before
    else:
        assert joining.state is row[0]


def test_from_each_state_there_is_a_way_into_a_session() -> None:
    for start in State:
        reached, ahead = {start}, deque([start])
        while ahead:
            state = ahead.popleft()
            for (source, _), (target, _) in STEPS.items():
                if source is state and target not in reached:
                    reached.add(target)
                    ahead.append(target)
        assert reached == set(State)


def test_nobody_waits_for_ever() -> None:
    """In each state but the first something is due again: HELLO, or what gives up after a while."""
    for state in (State.REPLY, State.WELCOME):
        assert (state, Event.LATE) in STEPS
        assert Joining(state, until=NOW).is_late(NOW)
        assert not Joining(state, until=NOW).is_late(NOW - 0.1)
    assert not any(Joining(s).is_late(NOW) for s in set(State) - {State.REPLY, State.WELCOME})


def test_the_retry_schedule() -> None:
    delays = [retry_delay(n) for n in range(1, 8)]
    assert delays == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert retry_delay(10**6) == 5.0


def test_hellos_are_sent_now_and_then_more_seldom() -> None:
    joining = Joining()
    joining.happens(Event.RENEWED, NOW)
    assert joining.next == NOW
    delays = []
    for _ in range(8):
        joining.said_hello(joining.next)
        delays.append(round(joining.next - NOW - sum(delays), 3))
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (FIRST_RETRY, 5.0)
    joining.happens(Event.RENEWED, NOW)  # the last one may be lost
    assert (joining.next, joining.hellos) == (NOW + FIRST_RETRY, 0)


def test_a_session_is_asked_for_at_once_again_and_again_and_not_for_ever() -> None:
    joining = Joining(State.CHALLENGE, NOW + 5.0, names=2, welcomed=True)
    joining.happens(Event.OPENED, NOW)
    assert joining == Joining(State.TURN)
    joining.happens(Event.RENEWED, NOW)  # the session is new, and its turn has not come
    assert joining == Joining(State.TURN)
    joining.asked(NOW)
    joining.asked(NOW + 1.0)
    assert (joining.next, joining.until) == (NOW + 1.0 + BIND_AGAIN, NOW + PATIENCE)


def test_another_name_is_tried_at_once() -> None:
    joining = Joining(State.REPLY, NOW + 1.0)
    joining.happens(Event.NAME_TAKEN)
    assert (joining.state, joining.names, joining.next) == (State.REPLY, 1, 0.0)


def test_the_way_is_shown_on_shell_and_stdin_at_once() -> None:
    joining = Joining(State.REPLY, NOW + 1.0, routed=True)
    joining.happens(Event.BOUND)
    assert (joining.state, joining.routed, joining.next) == (State.WELCOME, False, 0.0)
