"""What an attack is, and what can come of it."""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from minikernel.lab.columns import Column
    from minikernel.lab.stage import Stage


class Outcome(enum.Enum):
    """Read from what was executed, shown or lost; never from what a scheme says about it."""

    THROUGH = "let through"  # the attacker got what it wanted, and nobody was told
    NOTICED = "noticed"  # something is lost, and its owner can see what
    STOPPED = "stopped"  # nothing of it happened
    ABSENT = "not applicable"  # the scheme has nothing that could be attacked so


class Evidence(NamedTuple):
    """What came of an attack."""

    outcome: Outcome
    seen: str  # what was executed, shown or lost


def judged(let_through: object, seen: str) -> Evidence:
    """The evidence that it was let through, if that is true, else stopped."""
    return Evidence(Outcome.THROUGH if let_through else Outcome.STOPPED, seen)


Row = tuple[tuple[str, Outcome, str], ...]
"""The letters of columns, what comes of an attack on them, and why."""


class Attack(ABC):
    """One attack; its docstring says what it is after."""

    steps: ClassVar[tuple[str, ...]]
    wire: ClassVar[tuple[str, ...]]  # the frames that matter
    expected: ClassVar[Row]  # what comes of it, where that is not expected.BY_DEFAULT
    initiated: ClassVar[bool] = False  # whether the man in the middle holds CURVE's secret keys

    @classmethod
    def title(cls) -> str:
        """Its name on the command line: CrossConnection is cross-connection."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def what(cls) -> str:
        """What it is after, in a sentence."""
        return (cls.__doc__ or "").strip()

    def applies(self, _column: Column) -> bool:
        """Whether the scheme has what this attack attacks; most do."""
        return True

    @abstractmethod
    def act(self, stage: Stage) -> Evidence:
        """Do it, on a stage of its own."""


class OnHandshakes(Attack):
    """An attack on schemes that shake hands."""

    def applies(self, column: Column) -> bool:
        """Whether there is a handshake."""
        return column.traits.handshake
