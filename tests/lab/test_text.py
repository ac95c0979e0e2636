from __future__ import annotations

import json
from pathlib import Path

import pytest

from minikernel.lab import proofs
from minikernel.lab.attacks import ATTACKS
from minikernel.lab.columns import COLUMNS, GUARDED, NULL
from minikernel.lab.evidence import Outcome
from minikernel.lab.matrix import Finding, as_expected
from minikernel.lab.text import as_json, explained, markdown, matrix

DOCS = Path(__file__).parents[2] / "docs"
ALL = list(as_expected(COLUMNS, ATTACKS))
SURPRISE = Finding(GUARDED.name, "forge-blind", Outcome.THROUGH, "ran <once>", 0.5)
BROKEN = Finding(NULL.name, "forge-blind", None, "broke down: OSError", 0.5)


def test_the_matrix_fits_a_terminal() -> None:
    lines = matrix(ALL).splitlines()
    assert max(map(len, lines)) <= 80
    first = next(n for n, line in enumerate(lines) if line.startswith("read-iopub"))
    rows = [line.split()[0] for line in lines[first : first + len(ATTACKS)]]
    assert rows == [attack.title() for attack in ATTACKS]


def test_the_matrix_tells_of_surprises() -> None:
    said = matrix([BROKEN, SURPRISE])
    assert "broke!OPEN!" in said.replace(" ", "")
    assert "jupyter-hmac, forge-blind: let through (ran <once>)" in said
    assert "expected: stopped, an HMAC can't be guessed" in said
    assert "null, forge-blind: broke down (broke down: OSError)" in said


def test_json() -> None:
    (one,) = json.loads(as_json([SURPRISE]))
    assert one["scheme"] == "jupyter-hmac"
    assert (one["outcome"], one["expected"], one["surprise"]) == ("let through", "stopped", True)
    assert json.loads(as_json([BROKEN]))[0]["outcome"] is None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.title())
def test_an_explanation_names_every_scheme(attack: type) -> None:
    said = explained(attack)
    assert all(column.name in said for column in COLUMNS)
    assert attack.wire[0] in said


@pytest.mark.parametrize(
    ("name", "text"), [("attacks.md", markdown(ALL)), ("channels.md", proofs.markdown())]
)
def test_the_pages_are_those_of_the_tables(name: str, text: str) -> None:
    assert (DOCS / name).read_text() == text + "\n", "stale: make docs-lab"
