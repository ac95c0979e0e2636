"""The bottom line of a console."""

from __future__ import annotations

import pytest

from minikernel.cli.bottom import verdicts
from minikernel.client.ledger import Ledger, Row


def test_what_the_kernel_rejects_is_counted_too() -> None:
    ours = Ledger(
        (
            Row(channel="shell", sent=3, verified=3),
            Row(channel="stdin"),
            Row(channel="iopub", verified=12, rejected={"bad signature": 2}),
            Row(channel="heartbeat", beats=5),
        )
    )
    assert verdicts(ours, None) == (
        " rejected 2: bad signature 2 · shell 3 ok · stdin 0 · iopub 12 ok"
    )
    assert verdicts(ours, 4).startswith(" rejected 2: bad signature 2 · by the kernel 4 · ")


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_the_bottom_line_of_a_narrow_window_says_what_was_rejected(width: int) -> None:
    ours = Ledger(tuple(Row(channel=name, verified=1000) for name in ("shell", "control", "iopub")))
    line = verdicts(ours, 3, said=["no heartbeat"], width=width)
    assert line.startswith(" rejected 0")
    assert len(line) <= width
    assert line in verdicts(ours, 3, said=["no heartbeat"])
    assert ("by the kernel 3" in line) == (width > 20)
