from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from minikernel.client.ledger import Ledger, Row
from minikernel.protocol.end import Tally
from minikernel.wire.channels import Channel

REASONS = {"bad signature": 2, "replayed": 1}


def ledger() -> Ledger:
    shell = Tally(sent=3, verified=2, rejected=Counter(REASONS))
    tallies = {Channel.SHELL: shell, Channel.IOPUB: Tally(verified=7)}
    return Ledger.from_tallies(tallies, beats=4, gaps={Channel.IOPUB: 5})


def test_the_table_has_a_row_a_channel() -> None:
    assert str(ledger()).splitlines() == [
        "what this client has counted",
        "channel        sent  verified  rejected  reasons",
        "shell             3         2         3  bad signature 2, replayed 1",
        "iopub             0         7         0  missing 5",
        "heartbeat                                answered 4 times",
    ]


def test_totals_and_rows() -> None:
    assert (ledger().verified, ledger().rejected) == (9, 3)
    assert ledger()["shell"].sent == 3
    with pytest.raises(KeyError):
        ledger()["stdin"]


def test_it_reads_what_a_kernel_says_of_its_own() -> None:
    content = {"status": "ok", "channels": ledger().as_dict()}
    theirs = Ledger.from_status(content)
    assert theirs == ledger()
    assert str(theirs).splitlines()[0] == "what the kernel has counted"
    assert "<caption>what the kernel has counted</caption>" in theirs._repr_html_()


def test_a_heartbeat_that_is_not_answered_yet() -> None:
    assert str(Ledger.from_tallies({}, beats=0, gaps={})).endswith(" not answered yet")


@pytest.mark.parametrize(
    "channels",
    [
        None,
        [],
        "x",
        {"shell": 5},
        {"shell": {"sent": "many", "rejected": [1]}},
        {"hb": {"beats": -1}},
    ],
)
def test_a_malformed_status_counts_as_nothing(channels: Any) -> None:
    found = Ledger.from_status({"channels": channels})
    assert (found.verified, found.rejected) == (0, 0)
    assert str(found)
    assert found._repr_html_()


def test_hostile_names_are_escaped() -> None:
    hostile = {"<b>\x1b[2J": {"rejected": {"<script>\x1b[31m\n": 1}}}
    found = Ledger.from_status({"channels": hostile})
    for shown in (str(found), found._repr_html_()):
        assert "\x1b" not in shown
    assert "<script>" not in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    assert len(str(found).splitlines()) == 3


def test_the_table_fits_a_terminal() -> None:
    rejected = {f"reason {'x' * 90} {i}": 10**12 + i for i in range(5)}
    rows = (Row(channel="c" * 50, sent=10**8, verified=10**8, rejected=rejected),)
    table = str(Ledger(rows))
    assert max(map(len, table.splitlines())) <= 80
    assert "1000000000004" in table
