"""Plays attacks, each on a stage of its own, and compares what came of them with the table."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from minikernel.lab.evidence import Evidence, Outcome
from minikernel.lab.expected import EXPECTED
from minikernel.lab.stage import Stage, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minikernel.lab.columns import Column
    from minikernel.lab.evidence import Attack
    from minikernel.lab.expected import Expectation

WORKERS = 2  # attacks at a time: most of their time they wait


class Finding(NamedTuple):
    """What came of one attack on one scheme."""

    column: str
    attack: str
    outcome: Outcome | None  # None: the attack itself broke down
    seen: str
    seconds: float

    @property
    def expected(self) -> Expectation:
        """What the table says."""
        return EXPECTED[self.column, self.attack]

    @property
    def is_surprise(self) -> bool:
        """Whether it differs from what the table says."""
        return self.outcome is not self.expected.outcome


def play(column: Column, attack: type[Attack]) -> Finding:
    """Play one attack on a fresh stage."""
    start = time.monotonic()
    outcome: Outcome | None
    try:
        outcome, seen = _evidence(column, attack())
    except Exception as problem:  # noqa: BLE001 - whatever it is, the others go on
        outcome, seen = None, f"broke down: {type(problem).__name__}: {problem}"
    return Finding(column.name, attack.title(), outcome, seen, time.monotonic() - start)


def _evidence(column: Column, attack: Attack) -> Evidence:
    if not attack.applies(column):
        return Evidence(Outcome.ABSENT, "")
    with (
        tempfile.TemporaryDirectory(prefix="minikernel-lab-") as directory,
        Stage(column, Path(directory), initiated=attack.initiated) as stage,
    ):
        try:
            evidence = attack.act(stage)
        except Unreadable as said:
            return Evidence(Outcome.STOPPED, str(said))
        stage.middle.check()
        return evidence


def play_all(
    columns: Iterable[Column],
    attacks: Sequence[type[Attack]],
    tell: Callable[[Finding], object],
) -> list[Finding]:
    """Play all of them; column by column in the result.

    Args:
        columns: schemes.
        attacks: on each of them.
        tell: called with each finding when it is there.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        pairs = [(column, attack) for column in columns for attack in attacks]
        findings = []
        try:
            for finding in pool.map(lambda pair: play(*pair), pairs):
                tell(finding)
                findings.append(finding)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return findings


def as_expected(columns: Iterable[Column], attacks: Iterable[type[Attack]]) -> Iterator[Finding]:
    """The findings of a lab without surprises, without playing anything."""
    titles = [attack.title() for attack in attacks]
    for column in columns:
        for title in titles:
            yield Finding(column.name, title, EXPECTED[column.name, title].outcome, "", 0)
