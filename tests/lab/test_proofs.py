"""The table of channels."""

from __future__ import annotations

from minikernel.lab import proofs


def test_the_table_of_channels_fits_a_terminal() -> None:
    assert max(map(len, proofs.text().splitlines())) <= 80
