"""What a client has seen, as a list that a notebook draws."""

from __future__ import annotations

from minikernel.client.picture import BAD, FRAMES, Step, sequence
from minikernel.client.verifier import TraceEvent
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import loads_dict


class Trace(list[TraceEvent]):
    """Messages in the order in which they came; notebooks show a sequence diagram.

    `client.trace = trace.append` fills it.
    """

    def __repr__(self) -> str:
        return f"Trace({len(self)} messages)"

    def _repr_html_(self) -> str:
        return str(sequence([_step(event) for event in self], ("client", "kernel")))


def _step(event: TraceEvent) -> Step:
    route = ("client", "kernel") if event.direction == "sent" else ("kernel", "client")
    label = f"{event.channel}: {event.msg_type or 'unknown'}"
    if event.verdict == "ok":
        return Step(*route, label, note=_state(event))
    return Step(*route, label, BAD, f"refused, {event.verdict}")


def _state(event: TraceEvent) -> str:
    """What a status says: busy or idle."""
    if event.msg_type != "status":
        return ""
    frames = list(event.frames)
    content = frames[frames.index(DELIMITER) + len(FRAMES) + 1]
    return str(loads_dict(content).get("execution_state", ""))
