"""The kernel's own messages, back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab import reasons as why
from minikernel.lab.attackers import msg_type, parent_id, parts, signature
from minikernel.lab.attacks.rules import Hold
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import STOPPED, THROUGH
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.network.passing import Passing
    from minikernel.lab.stage import Stage


class ReflectComm(Attack):
    """Reflect the kernel's own comm message to it, on shell."""

    steps = (
        "the victim opens a comm that nobody knows; the kernel publishes that it is closed",
        "send this message to the kernel, in the victim's connection",
    )
    wire = (
        "kernel -> victim   topic <IDS|MSG> signature {comm_close} ...",
        "middle -> kernel   <IDS|MSG> signature {comm_close} ...",
    )
    expected = (
        ("K", THROUGH, "one key for both directions"),
        ("O", THROUGH, why.TRUSTED),
        ("B", THROUGH, "one key for both directions, and comm messages go both ways"),
        ("G", STOPPED, "the kernel refuses what bears its own session"),
        ("C", STOPPED, "keys are bound to channel and direction"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        opened = {"comm_id": "c", "target_name": "nobody's", "data": {}}
        stage.victim.say(Channel.SHELL, "comm_open", opened)
        own = stage.heard(lambda p: p.to is Role.CLIENT and msg_type(p) == "comm_close")
        start = len(stage.middle.tape)
        before = stage.looked_at(Channel.SHELL)
        _reflect(stage, own, Channel.SHELL)
        stage.settle(Channel.SHELL, before + 1)
        stage.victim.run("None")
        busy = [p for p in stage.middle.tape[start:] if _is_status_for(p, own)]
        return judged(busy, f"the kernel said {len(busy)} times that it worked for itself")


def _is_status_for(passing: Passing, own: Passing) -> bool:
    return msg_type(passing) == "status" and parent_id(passing).encode() in parts(own)[0]


def _reflect(stage: Stage, own: Passing, channel: Channel) -> None:
    """Send one of the kernel's messages back in the victim's connection."""
    client = stage.request(kind="comm_open").client
    frames = [DELIMITER, signature(own), *parts(own)]
    stage.middle.inject(own._replace(channel=channel, to=Role.KERNEL, client=client, frames=frames))


class ReflectToStdin(Attack):
    """Reflect what was said elsewhere to stdin, where the kernel waits for an answer."""

    steps = (
        "the victim runs a cell that asks; its answer is held back",
        "send on stdin what the kernel asked, what it publishes, and the victim's own request",
        "the victim's answer goes on",
    )
    wire = ("middle -> kernel   <IDS|MSG> signature {input_request, status, execute_request} ...",)
    expected = (
        ("NKOB", STOPPED, "stdin takes an input_reply only, of the session that was asked"),
        ("G", STOPPED, "the channel table, and outstanding input only"),
        ("C", STOPPED, "keys are bound to channel and direction"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        hold = Hold("input_reply")
        stage.middle.rule = hold
        cell = stage.victim.start(
            "name = input()", on_input=lambda *_: "honest", user_expressions={"name": "name"}
        )
        answer = stage.request(kind="input_reply")
        said = [p for p in stage.middle.tape if msg_type(p) in _ELSEWHERE]
        before = stage.looked_at(Channel.STDIN)
        for passing in said:
            frames = [DELIMITER, signature(passing), *parts(passing)]
            stage.middle.inject(answer._replace(frames=frames))
        stage.wait_until(lambda: stage.looked_at(Channel.STDIN) >= before + len(said))
        stage.middle.inject(answer)
        try:
            given = cell.result().user_expressions.get("name", {}).get("data", {})
        except TimeoutError:
            return judged(True, "the honest answer never came to the cell")
        return judged(given.get("text/plain") != "'honest'", f"input() gave {given}")


_ELSEWHERE = {"input_request", "status", "execute_request", "execute_input"}
