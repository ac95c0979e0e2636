from __future__ import annotations

import pytest

from minikernel.auth import registry
from minikernel.auth.keys import SecretKey
from minikernel.lab.attacks import ATTACKS, BY_TITLE
from minikernel.lab.channels import BACKED, CONSEQUENCES, PROPERTIES, STATEMENTS, can_prove
from minikernel.lab.columns import (
    BARE,
    CHANNEL,
    CLEAR_KEY,
    COLUMNS,
    CURVE,
    GUARDED,
    NULL,
    ONCE,
    SPECIFIED,
    Column,
)
from minikernel.lab.evidence import OnHandshakes, Outcome
from minikernel.lab.expected import EXPECTED


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


def test_columns_have_letters_and_names_of_their_own() -> None:
    assert len({c.letter for c in SPECIFIED}) == len({c.name for c in SPECIFIED}) == 7
    assert set(COLUMNS) <= set(SPECIFIED)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: c.name)
def test_a_column_that_is_shown_has_its_scheme(column: Column) -> None:
    key = "" if column.scheme == registry.NULL else "k" * 32
    registry.check(column.scheme, SecretKey(key.encode()))


def test_each_scheme_closes_what_the_one_before_left_open() -> None:
    assert open_to(CURVE) < open_to(CHANNEL) < open_to(GUARDED) < open_to(BARE)
    assert open_to(BARE) < open_to(CLEAR_KEY) < open_to(NULL)
    assert open_to(ONCE) - {"relay-a-handshake"} < open_to(NULL)


def test_what_stays_open_under_curve() -> None:
    assert open_to(CURVE) == {"delay-everything", "middle-with-the-master-key"}


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


def test_the_table_of_channels_is_backed_by_attacks() -> None:
    assert {channel for channel, _ in BACKED} == {
        "shell",
        "control",
        "stdin",
        "iopub",
        "heartbeat",
    }
    for backing in BACKED.values():
        assert set(backing) <= set(PROPERTIES)
        assert all(attack in ATTACKS for attack in backing.values())


@pytest.mark.parametrize("statement", STATEMENTS + CONSEQUENCES, ids=lambda s: s.attack.title())
def test_each_statement_held_in_2011_and_stops_holding(statement: object) -> None:
    attack = statement.attack  # type: ignore[attr-defined]
    assert not can_prove(CLEAR_KEY, attack)
    assert can_prove(CURVE, attack)
