"""What came of an attack, and what attacks say of themselves."""

from __future__ import annotations

from minikernel.lab.columns import CHANNEL, CLEAR_KEY
from minikernel.lab.evidence import Attack, OnHandshakes, Outcome, judged


class CrossConnection(Attack):
    """Go over."""

    act = None  # type: ignore[assignment]


class Shake(OnHandshakes):
    act = None  # type: ignore[assignment]


def test_evidence_is_judged() -> None:
    assert judged([1], "ran once") == (Outcome.THROUGH, "ran once")
    assert judged("", "ran 0 times") == (Outcome.STOPPED, "ran 0 times")


def test_an_attack_has_a_title_and_says_what_it_is_after() -> None:
    assert CrossConnection.title() == "cross-connection"
    assert CrossConnection.what() == "Go over."
    assert Shake.what() == ""


def test_handshakes_are_attacked_where_there_are_any() -> None:
    assert CrossConnection().applies(CLEAR_KEY)
    assert Shake().applies(CHANNEL)
    assert not Shake().applies(CLEAR_KEY)
