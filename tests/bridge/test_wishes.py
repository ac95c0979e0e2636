from __future__ import annotations

from minikernel.bridge.wishes import SAME, Wishes


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_signals_is_one_wish() -> None:
    clock = Clock()
    wishes = Wishes(clock)
    assert [wishes.is_new_by_signal() for _ in range(3)] == [True, False, False]
    clock.now += SAME
    assert wishes.is_new_by_signal()


def test_two_messages_are_two_wishes() -> None:
    wishes = Wishes(Clock())
    assert [wishes.is_new_by_message() for _ in range(2)] == [True, True]


def test_a_signal_after_a_message_is_the_same() -> None:
    clock = Clock()
    wishes = Wishes(clock)
    assert wishes.is_new_by_message()
    assert not wishes.is_new_by_signal()
    clock.now += SAME
    assert wishes.is_new_by_signal()


def test_the_message_after_a_signal_is_the_same_and_the_next_is_not() -> None:
    wishes = Wishes(Clock())
    assert wishes.is_new_by_signal()
    assert [wishes.is_new_by_message() for _ in range(2)] == [False, True]
