"""No attack is stopped for nothing: with its guard taken out, it goes through."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.lab.attacks import ATTACKS
from minikernel.lab.columns import COLUMNS
from minikernel.lab.evidence import Outcome
from minikernel.lab.expected import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TABLE = runpy.run_path(str(Path(__file__).with_name("guards.py")))
GUARDS: dict[str, tuple[tuple[str, str, str], ...]] = TABLE["GUARDS"]
ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = TABLE["ROWS"]
PACKAGE = Path(__file__).parents[2] / "minikernel"
SURPRISE = 1  # exit code of `minikernel lab`
NEVER_STOPPED = {"delay-everything", "middle-with-the-master-key"}


def outcomes(attack: str) -> set[Outcome]:
    return {EXPECTED[column.name, attack].outcome for column in COLUMNS}


def test_each_attack_that_anything_stops_has_a_row() -> None:
    titles = {attack.title() for attack in ATTACKS}
    assert {row[0] for row in ROWS} == titles - NEVER_STOPPED
    assert all(outcomes(attack) == {Outcome.THROUGH} for attack in NEVER_STOPPED)
    assert {guard for row in ROWS for guard in row[2]} == set(GUARDS)


@pytest.mark.parametrize("guard", GUARDS)
def test_what_is_taken_out_is_there(guard: str) -> None:
    for name, text, _ in GUARDS[guard]:
        assert (PACKAGE / name).read_text().count(text) == 1, (name, text)


@pytest.fixture(scope="module")
def package_without(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A directory with a copy of the package from which guards were taken out; one for each set."""
    copies: dict[frozenset[str], Path] = {}

    def without(guards: Iterable[str]) -> Path:
        wanted = frozenset(guards)
        if wanted not in copies:
            copies[wanted] = tmp_path_factory.mktemp("without")
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PACKAGE, copies[wanted] / PACKAGE.name, ignore=ignored)
            for guard in guards:
                take_out(copies[wanted] / PACKAGE.name, guard)
        return copies[wanted]

    return without


def take_out(package: Path, guard: str) -> None:
    for name, text, instead in GUARDS[guard]:
        file = package / name
        file.write_text(file.read_text().replace(text, instead))


def played(directory: Path, attack: str, column: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `minikernel lab` in the package there, and what it found."""
    arguments = ["lab", "--json", "--attack", attack, "--scheme", column]
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout, done.stderr
    (finding,) = json.loads(done.stdout)
    return done.returncode, finding


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("attack", "column", "guards"),
    ROWS,
    ids=[f"{attack}-{column}-without-{'-and-'.join(guards)}" for attack, column, guards in ROWS],
)
def test_the_attack_goes_through_without(
    attack: str, column: str, guards: tuple[str, ...], package_without: Callable[..., Path]
) -> None:
    code, finding = played(package_without(guards), attack, column)
    assert (finding["outcome"], code) == (Outcome.THROUGH.value, SURPRISE), finding


@pytest.mark.slow
def test_nothing_goes_through_in_a_copy_as_it_is(package_without: Callable[..., Path]) -> None:
    code, finding = played(package_without(()), "forge-copied", "channel-hmac")
    assert (finding["outcome"], code) == (Outcome.STOPPED.value, 0), finding
