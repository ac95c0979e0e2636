"""Who can prove what to whom."""

from __future__ import annotations

import pytest

from minikernel.lab.attacks import ATTACKS
from minikernel.lab.channels import BACKED, CONSEQUENCES, PROPERTIES, STATEMENTS, can_prove
from minikernel.lab.columns import CLEAR_KEY, CURVE


def test_the_table_of_channels_is_backed_by_attacks() -> None:
    assert {channel for channel, _ in BACKED} == {
        "shell",
        "control",
        "stdin",
        "iopub",
        "heartbeat",
    }
    for backing in BACKED.values():
        assert set(backing) == set(PROPERTIES)
        assert all(attack in ATTACKS for attack in backing.values())


@pytest.mark.parametrize("statement", STATEMENTS + CONSEQUENCES, ids=lambda s: s.attack.title())
def test_each_statement_held_in_2011_and_stops_holding(statement: object) -> None:
    attack = statement.attack  # type: ignore[attr-defined]
    assert not can_prove(CLEAR_KEY, attack)
    assert can_prove(CURVE, attack)
