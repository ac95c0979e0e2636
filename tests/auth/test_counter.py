from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.auth.counter import MAX, Counter, Numbering
from minikernel.errors import LocalProtocolError, ReplayedCounter


def test_the_first_counter_is_one() -> None:
    counter = Counter()
    with pytest.raises(ReplayedCounter):
        counter.check(0)
    counter.check(1)


def test_a_check_changes_nothing() -> None:
    counter = Counter()
    counter.check(MAX)
    assert (counter.last, counter.gaps) == (0, 0)
    counter.check(1)


def test_a_skip_is_legal_and_counted() -> None:
    counter = Counter()
    assert [counter.mark(n) for n in (1, 2, 5, 6, 8)] == [0, 0, 2, 0, 1]
    assert (counter.last, counter.gaps) == (8, 3)


def test_what_was_skipped_does_not_come_back() -> None:
    counter = Counter()
    counter.mark(5)
    for late in (0, 1, 4, 5):
        with pytest.raises(ReplayedCounter):
            counter.check(late)
        with pytest.raises(LocalProtocolError):
            counter.mark(late)


def test_a_late_joiner_has_missed_nothing() -> None:
    counter = Counter(41, from_start=False)
    with pytest.raises(ReplayedCounter):
        counter.check(41)
    assert counter.mark(50) == 0
    assert counter.mark(52) == 1


def test_no_counter_is_drawn_twice_not_even_the_last() -> None:
    numbers = Numbering()
    assert [numbers.draw(), numbers.draw()] == [1, 2]
    last = Numbering(MAX - 1)
    assert last.draw() == MAX
    for _ in range(2):
        with pytest.raises(LocalProtocolError):
            last.draw()
    assert last.last == MAX


@given(st.lists(st.integers(0, MAX)))
def test_what_is_accepted_increases_and_the_gaps_are_what_is_missing(numbers: list[int]) -> None:
    counter, accepted = Counter(), []
    for n in numbers:
        try:
            counter.check(n)
        except ReplayedCounter:
            continue
        counter.mark(n)
        accepted.append(n)
    assert accepted == sorted(set(accepted))
    assert counter.gaps == (max(accepted) - len(accepted) if accepted else 0)
