"""Reasons are shared: one that a single attack has stands there."""

from __future__ import annotations

import pytest

from minikernel.lab import reasons
from minikernel.lab.attacks import ATTACKS
from minikernel.lab.expected import BY_DEFAULT

REASONS = {
    name: said for name, said in vars(reasons).items() if isinstance(said, str) and name.isupper()
}


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_is_given_more_than_once(name: str) -> None:
    given = [said for attack in ATTACKS for _, _, said in attack.expected]
    defaults = [said for _, _, said in BY_DEFAULT]
    assert sum(REASONS[name] in said for said in given) > 1 or REASONS[name] in defaults
