"""What a victim is told to be missing: only what changes counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.evidence import Evidence, Outcome

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage
    from minikernel.wire.channels import Channel


class Losses:
    """Counts from now on; make it before anything is dropped.

    Args:
        stage: its victim is asked.
        channel: of which messages are dropped.
    """

    def __init__(self, stage: Stage, channel: Channel) -> None:
        self._victim = stage.victim
        self._channel = channel
        first = self._victim.gaps(channel)
        self._victim.run("None")
        self._before = self._victim.gaps(channel)
        self._is_steady = first == self._before  # else it says nothing about what is dropped

    def told(self) -> int:
        """How many more the victim is told to be missing, if honest messages change nothing."""
        return self._victim.gaps(self._channel) - self._before if self._is_steady else 0

    def evidence(self, dropped: int, what: str) -> Evidence:
        """Noticed if the victim is told of just as many as were dropped, else let through."""
        told = self.told()
        seen = f"{what}; the victim is told of {told or 'none'} missing"
        return Evidence(Outcome.NOTICED if told == dropped else Outcome.THROUGH, seen)
