"""How a client gets into a session (section 3): the steps, and when something is due."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_RETRY = 0.2  # seconds
LAST_RETRY = 5.0
BIND_AGAIN = 0.2  # seconds
PATIENCE = 10.0  # seconds for a bind_reply and a welcome


def retry_delay(hellos: int) -> float:
    """Seconds to wait for a CHALLENGE after so many HELLOs, at least 1 (section 3)."""
    return float(min(FIRST_RETRY * 2.0 ** min(hellos - 1, 10), LAST_RETRY))


class State(enum.Enum):
    """What a client waits for."""

    NOTHING = "nothing"
    CHALLENGE = "CHALLENGE"
    TURN = "its own turn"
    REPLY = "bind_reply"
    WELCOME = "iopub_welcome"


class Event(enum.Enum):
    """What happens to it."""

    RENEWED = "it starts, or has lost a connection"
    OPENED = "CHALLENGE has verified"
    ASKED = "bind_request is sent"
    BOUND = "bind_reply: ok"
    NAME_TAKEN = "bind_reply: another name, please"
    REFUSED = "bind_reply: no place"
    READY = "all is known that it waits for"
    LATE = "10 seconds are over"


@dataclass
class Joining:
    """Where a client is on the way.

    Attributes:
        state: what it waits for.
        next: when something is due, in seconds.
        until: when it gives up.
        hellos: that were sent for this CHALLENGE.
        names: that were taken.
        routed: whether shell and stdin have been told where the client is.
        welcomed: whether its iopub_welcome has come.
    """

    state: State = State.NOTHING
    next: float = 0.0
    until: float = 0.0
    hellos: int = 0
    names: int = 0
    routed: bool = False
    welcomed: bool = False

    def happens(self, event: Event, now: float = 0.0) -> None:
        """Take a step, if the table has one."""
        step = STEPS.get((self.state, event))
        if step is not None:
            self.state, action = step
            action(self, now)

    def said_hello(self, now: float) -> None:
        """HELLO is sent: wait for its CHALLENGE, longer each time."""
        self.hellos += 1
        self.next = now + retry_delay(self.hellos)

    def asked(self, now: float) -> None:
        """bind_request is sent; it is sent again if what it asks for does not come soon."""
        self.happens(Event.ASKED, now)
        self.next = now + BIND_AGAIN

    def is_late(self, now: float) -> bool:
        """Whether it has waited for long enough."""
        return self.state in {State.REPLY, State.WELCOME} and now >= max(self.until, self.next)


def _rest(_: Joining, __: float) -> None:
    """Change nothing else."""


def _knock(joining: Joining, now: float) -> None:
    """Send HELLO now."""
    joining.hellos, joining.next = 0, now


def _knock_soon(joining: Joining, now: float) -> None:
    """Send HELLO once more, soon: the last one may be lost."""
    joining.hellos, joining.next = 0, min(joining.next, now + FIRST_RETRY)


def _ask(joining: Joining, _: float) -> None:
    """Send bind_request on control now."""
    joining.next, joining.names, joining.welcomed = 0.0, 0, False


def _wait(joining: Joining, now: float) -> None:
    """Ask again and again, for 10 seconds."""
    joining.until = now + PATIENCE


def _rename(joining: Joining, _: float) -> None:
    """Ask under another name, now."""
    joining.names, joining.next = joining.names + 1, 0.0


def _show_the_way(joining: Joining, _: float) -> None:
    """Send bind_request on shell and stdin, now."""
    joining.routed, joining.next = False, 0.0


STEPS: dict[tuple[State, Event], tuple[State, Callable[[Joining, float], None]]] = {
    (State.NOTHING, Event.RENEWED): (State.CHALLENGE, _knock),
    (State.CHALLENGE, Event.RENEWED): (State.CHALLENGE, _knock_soon),
    (State.TURN, Event.RENEWED): (State.TURN, _rest),
    (State.REPLY, Event.RENEWED): (State.CHALLENGE, _knock),
    (State.WELCOME, Event.RENEWED): (State.CHALLENGE, _knock),
    **{(state, Event.OPENED): (State.TURN, _ask) for state in State},
    (State.TURN, Event.ASKED): (State.REPLY, _wait),
    (State.REPLY, Event.NAME_TAKEN): (State.REPLY, _rename),
    (State.REPLY, Event.REFUSED): (State.NOTHING, _rest),
    (State.REPLY, Event.LATE): (State.CHALLENGE, _knock),
    (State.REPLY, Event.BOUND): (State.WELCOME, _show_the_way),
    (State.WELCOME, Event.READY): (State.NOTHING, _rest),
    (State.WELCOME, Event.LATE): (State.NOTHING, _rest),
}
