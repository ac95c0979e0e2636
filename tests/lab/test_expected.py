from __future__ import annotations

import pytest

from minikernel.lab.attacks import ATTACKS, BY_TITLE
from minikernel.lab.columns import (
    BARE,
    CHANNEL,
    CLEAR_KEY,
    CURVE,
    GUARDED,
    NULL,
    ONCE,
    SPECIFIED,
    Column,
)
from minikernel.lab.evidence import Attack, OnHandshakes, Outcome
from minikernel.lab.expected import BY_DEFAULT, EXPECTED


def open_to(column: Column) -> set[str]:
    return {
        attack
        for (name, attack), expectation in EXPECTED.items()
        if name == column.name and expectation.outcome is Outcome.THROUGH
    }


def test_every_cell_has_one_expectation_with_a_reason() -> None:
    titles = {(c.name, a.title()) for c in SPECIFIED for a in ATTACKS}
    assert set(EXPECTED) == titles
    assert len(BY_TITLE) == len(ATTACKS) >= 35
    assert all(expectation.reason for expectation in EXPECTED.values())


def test_each_scheme_closes_what_the_one_before_left_open() -> None:
    assert open_to(CURVE) < open_to(CHANNEL) < open_to(GUARDED) < open_to(BARE)
    assert open_to(BARE) < open_to(CLEAR_KEY) < open_to(NULL)
    assert open_to(ONCE) - {"relay-a-handshake"} < open_to(NULL)


def test_what_stays_open_under_curve() -> None:
    assert open_to(CURVE) == {"delay-everything", "middle-with-the-master-key"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.title())
def test_an_attack_says_once_what_is_expected_of_it(attack: type[Attack]) -> None:
    letters = "".join(row[0] for row in (*attack.expected, *BY_DEFAULT))
    assert {letters.count(column.letter) for column in SPECIFIED} <= {1, 2}
    assert all(letters.count(letter) == 1 for letter in "KOBGC")
    assert not set(attack.expected) & set(BY_DEFAULT)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.title())
def test_an_attack_explains_itself(attack: type) -> None:
    assert attack.what().endswith(".")
    assert "\n" not in attack.what()
    assert attack.steps
    assert attack.wire
    for column in SPECIFIED:
        absent = EXPECTED[column.name, attack.title()].outcome is Outcome.ABSENT
        assert attack().applies(column) is not absent


def test_handshakes_are_attacked() -> None:
    assert sum(issubclass(attack, OnHandshakes) for attack in ATTACKS) == 2
