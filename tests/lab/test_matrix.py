"""Every attack on every scheme, over real sockets: what comes of it is what the table says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from minikernel.lab.attacks import ATTACKS
from minikernel.lab.columns import CHANNEL, COLUMNS, NULL
from minikernel.lab.evidence import Attack, Evidence, Outcome
from minikernel.lab.matrix import as_expected, play, play_all

if TYPE_CHECKING:
    from minikernel.lab.columns import Column
    from minikernel.lab.stage import Stage

ALWAYS = (CHANNEL,)  # the others take their time: `make check-all`
CELLS = [
    pytest.param(
        column,
        attack,
        id=f"{column.name}-{attack.title()}",
        marks=() if column in ALWAYS else pytest.mark.slow,
    )
    for column in COLUMNS
    for attack in ATTACKS
]


@pytest.mark.parametrize(("column", "attack"), CELLS)
def test_what_comes_of_it(column: Column, attack: type[Attack]) -> None:
    finding = play(column, attack)
    assert finding.outcome is finding.expected.outcome, (finding.seen, finding.expected.reason)


class ForgeBlind(Attack):
    """An attack that breaks down, under the title of another."""

    steps = wire = ()

    def act(self, stage: Stage) -> Evidence:
        stage.middle.rule = _fail
        stage.victim.run("None")
        return Evidence(Outcome.THROUGH, "")


def _fail(_: object) -> NoReturn:
    raise LookupError("a rule that fails")


def test_an_attack_that_breaks_down_is_a_surprise_and_the_others_go_on() -> None:
    told: list[object] = []
    findings = play_all([NULL], [ForgeBlind, ATTACKS[0]], told.append)
    assert told == findings
    assert [f.outcome for f in findings] == [None, Outcome.THROUGH]
    assert [f.is_surprise for f in findings] == [True, False]
    assert "LookupError: a rule that fails" in findings[0].seen


def test_a_lab_without_surprises() -> None:
    findings = list(as_expected(COLUMNS, ATTACKS))
    assert len(findings) == len(COLUMNS) * len(ATTACKS)
    assert not any(finding.is_surprise for finding in findings)
