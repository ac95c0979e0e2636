"""Attacks on handshakes, and on the heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.errors import MinikernelError
from minikernel.lab.attackers import is_greeting
from minikernel.lab.attacks.forging import execute_request
from minikernel.lab.evidence import Attack, Evidence, OnHandshakes, judged
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage
    from minikernel.transport.passing import Passing

FLOOD = 5000
BEATS = 8.0  # seconds in which a heartbeat that works must have come


class RelayAHandshake(OnHandshakes):
    """Relay an honest handshake, then speak."""

    steps = (
        "a client connects through the attacker, who relays its handshake to the kernel",
        "from then on the client is cut off, and the attacker speaks in that connection",
    )
    wire = (
        "attacker -> kernel   the client's frames, up to the end of the handshake",
        "attacker -> kernel   <IDS|MSG> '' header' {} {} {code'}",
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, start = stage.marker(), len(stage.middle.tape)
        stage.behind_the_middle().run("None")
        seen = stage.request(start)
        stage.middle.rule = lambda p: () if p.to is Role.KERNEL else (p,)
        before = stage.looked_at(Channel.SHELL)
        request = [DELIMITER, b"", *execute_request(marker.code())]
        stage.middle.inject(seen._replace(frames=request))
        stage.settle(Channel.SHELL, before + 1)
        stage.middle.rule = None
        return judged(marker.text, str(marker))


class HandshakeFlood(OnHandshakes):
    """Flood the kernel with handshakes: others can't get in, or lose their answers."""

    steps = (
        "record the victim's handshake",
        "send its first frame 5,000 times from one's own connections, half of them changed",
        "the victim runs a cell, and another client connects",
    )
    wire = ("stranger -> kernel   <IDS|MSG> first frame of a handshake   (5,000 times)",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        seen = stage.heard(lambda p: p.to is Role.KERNEL and is_greeting(p))
        first = seen.frames[-1]
        changed = first[:-1] + bytes([first[-1] ^ 1])
        stage.loose(seen.channel).send(
            *([DELIMITER, first if n % 2 else changed] for n in range(FLOOD))
        )
        try:
            stage.victim.run("None")
            stage.person().run("None")
        except (TimeoutError, MinikernelError) as problem:
            return judged(True, f"somebody was kept out: {problem}")
        return judged(False, "the victim and a newcomer got their answers")


class FakeHeartbeat(Attack):
    """Fake the heartbeat of a kernel that has ended."""

    steps = (
        "end the kernel",
        "return each of the victim's heartbeats as it came",
    )
    wire = ("victim -> middle   '' ping", "middle -> victim   '' ping")

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = _echo
        stage.kill()
        stage.victim.do(lambda client: client.hb_channel.unpause())
        start, known = len(stage.middle.tape), beats(stage)
        believed = stage.wait_until(lambda: beats(stage) > known + 1, BEATS)
        sent = sum(p.channel is Channel.HEARTBEAT for p in stage.middle.tape[start:])
        return judged(
            believed,
            f"the victim counted {beats(stage) - known} beats of a dead kernel, {sent} were faked",
        )


def beats(stage: Stage) -> int:
    """Heartbeats that the victim took for answered since it connected."""
    return int(stage.victim.client.ledger["heartbeat"].beats or 0)


def _echo(passing: Passing) -> tuple[Passing, ...]:
    if passing.channel is Channel.HEARTBEAT and passing.to is Role.KERNEL:
        front = passing._replace(to=Role.CLIENT)
        return (front,)
    return (passing,)
