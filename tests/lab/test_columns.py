"""What the lab attacks."""

from __future__ import annotations

import pytest

from minikernel.auth import registry
from minikernel.auth.keys import SecretKey
from minikernel.lab.columns import COLUMNS, SPECIFIED, Column


def test_columns_have_letters_and_names_of_their_own() -> None:
    assert len({c.letter for c in SPECIFIED}) == len({c.name for c in SPECIFIED}) == 7
    assert set(COLUMNS) <= set(SPECIFIED)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: c.name)
def test_a_column_that_is_shown_has_its_scheme(column: Column) -> None:
    key = "" if column.traits.keyless else "k" * 32
    registry.check(column.scheme, SecretKey(key.encode()))
