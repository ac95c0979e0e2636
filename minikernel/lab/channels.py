"""Who can prove what to whom: for each scheme, channel and direction, backed by attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minikernel.lab.attacks import (
    changing,
    forging,
    handshakes,
    insiders,
    ordering,
    reading,
    replaying,
    routing,
)
from minikernel.lab.evidence import Outcome
from minikernel.lab.expected import EXPECTED

if TYPE_CHECKING:
    from minikernel.lab.columns import Column
    from minikernel.lab.evidence import Attack

PROPERTIES = {
    "origin": "the receiver can tell that a holder of the key said it",
    "integrity": "... and that it says what was said",
    "order": "... and that nothing before it was swapped or left out",
    "freshness": "... and that it is of now: of this run, session and question",
    "once": "... and that it was not acted on before",
    "secrecy": "nobody else can read it",
}
Proofs = dict[str, type["Attack"]]

BACKED: dict[tuple[str, str], Proofs] = {
    ("shell", "to kernel"): {
        "origin": forging.ForgeCopied,
        "integrity": changing.ChangeContent,
        "order": ordering.SwapRequests,
        "freshness": ordering.HoldUntilGivenUp,
        "once": replaying.DuplicateOnTheConnection,
        "secrecy": reading.ReadRequests,
    },
    ("shell", "to client"): {
        "origin": forging.ForgeReply,
        "integrity": forging.ForgeReply,
        "freshness": replaying.ReplayAReply,
        "once": replaying.ReplayAReply,
        "secrecy": reading.ReadRequests,
    },
    ("control", "to kernel"): {
        "origin": forging.ForgeControl,
        "integrity": forging.ForgeControl,
        "order": ordering.DropAControlRequest,
        "freshness": replaying.ReplayOnControl,
        "once": replaying.ReplayOnControl,
        "secrecy": reading.ReadControl,
    },
    ("control", "to client"): {
        "origin": forging.ForgeAControlReply,
        "integrity": forging.ForgeAControlReply,
        "freshness": replaying.ReplayAControlReply,
        "once": replaying.ReplayAControlReply,
        "secrecy": reading.ReadControl,
    },
    ("stdin", "to kernel"): {
        "origin": routing.AnswerFromAnotherConnection,
        "integrity": changing.ChangeAnAnswer,
        "freshness": routing.AnswerALaterQuestion,
        "once": replaying.ReplayAnAnswer,
        "secrecy": reading.ReadAnswers,
    },
    ("stdin", "to client"): {
        "origin": forging.ForgeQuestion,
        "integrity": forging.ForgeQuestion,
        "freshness": replaying.ReplayAQuestion,
        "once": replaying.ReplayAQuestion,
        "secrecy": reading.ReadAnswers,
    },
    ("iopub", "to client"): {
        "origin": forging.ForgeIopub,
        "integrity": changing.ChangeOutput,
        "order": ordering.DropOutput,
        "freshness": replaying.ShowOldIopub,
        "once": replaying.ReplayIopub,
        "secrecy": reading.ReadIopub,
    },
    ("heartbeat", "both ways"): {
        "origin": handshakes.FakeHeartbeat,
        "freshness": handshakes.FakeHeartbeat,
    },
}
"""(channel, direction) -> property -> the attack that fails where it can be proved."""


def can_prove(column: Column, attack: type[Attack]) -> bool:
    """Whether this scheme gives what that attack would break."""
    return EXPECTED[column.name, attack.title()].outcome in {Outcome.STOPPED, Outcome.NOTICED}


class Statement(NamedTuple):
    """Something that holds under some schemes."""

    said: str
    attack: type[Attack]  # works where it holds


STATEMENTS = (  # MinRK's, in our words with a few of his
    Statement(
        'Only the kernel\'s ROUTER (then called XREP) "can authenticate connections": no other'
        " socket knows where a message came from.",
        forging.ForgeIopub,
    ),
    Statement(
        "A client's DEALER cannot authenticate replies: it \"must trust that the replies are"
        ' coming from the kernel".',
        forging.ForgeReply,
    ),
    Statement(
        "The identity is sent in clear, so whoever hears it can copy it and speak as its owner.",
        forging.ForgeCopied,
    ),
    Statement(
        "ZeroMQ shows no connections, and so none can be dropped: what was authenticated once"
        " stays so, whoever speaks in it.",
        forging.InjectAfterHandshake,
    ),
)
CONSEQUENCES = (  # ours; not from the thread
    Statement(
        "Whoever reaches the iopub port sees all output: a subscription asks for no credentials.",
        reading.ReadIopub,
    ),
    Statement(
        "All clients hold one key, so nobody can tell one of them from another.",
        insiders.AnotherHolderForgesARequest,
    ),
)
