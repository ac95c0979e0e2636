"""Attacks on handshakes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.keys import Master
from minikernel.errors import MinikernelError
from minikernel.lab.attackers import GUEST_RIGHTS, Copy, is_greeting, msg_type, session
from minikernel.lab.attacks.forging import execute_request
from minikernel.lab.evidence import Evidence, OnHandshakes, judged
from minikernel.lab.reasons import ABSENT, STOPPED, THROUGH
from minikernel.lab.stage import GUEST, TURN
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.network.middle import Loose
    from minikernel.lab.stage import Stage

FLOOD, OWN = 5000, 1000
FLOOD_PATIENCE = 5.0  # seconds
BUDGET = 50  # first frames of one client that are answered in a second (channel-hmac, section 3)


class RelayAHandshake(OnHandshakes):
    """Relay an honest handshake, then speak."""

    steps = (
        "a client connects through the attacker, who relays its handshake to the kernel",
        "from then on the client is cut off, and the attacker speaks in that connection",
        "it sends an unsigned request, and one with a copied signature",
    )
    wire = (
        "attacker -> kernel   the client's frames, up to the end of the handshake",
        "attacker -> kernel   <IDS|MSG> '' header' {} {} {code'}",
        "attacker -> kernel   <IDS|MSG> copied header' {} {} {code'}",
    )
    expected = (
        ("NKBG", ABSENT, "there is no handshake"),
        ("O", THROUGH, "nothing is derived from the challenge: who relayed it may speak"),
        ("C", STOPPED, "the handshake gives keys that a relay doesn't learn"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, start = stage.marker(), len(stage.middle.tape)
        stage.behind_the_middle().run("None")
        stage.request(start)
        seen = [p for p in stage.middle.tape if msg_type(p) == "execute_request"][-1]
        stage.middle.rule = lambda p: () if p.to is Role.KERNEL else (p,)
        before = stage.looked_at(Channel.SHELL)
        request = execute_request(marker.code(), session(seen))
        for mark in (b"", Copy().sign(seen, request)):
            stage.middle.inject(seen._replace(frames=[DELIMITER, mark, *request]))
        stage.settle(Channel.SHELL, before + 2)
        stage.middle.rule = None
        return judged(marker.text, str(marker))


class HandshakeFlood(OnHandshakes):
    """Flood the kernel with handshakes: others can't get in, or it works for nobody."""

    steps = (
        "record the victim's handshake",
        "send its first frame 5,000 times from one's own connections, half of them changed",
        "where there are invitations, another client sends 1,000 first frames of its own",
        "the victim runs a cell, and another client connects; count how many the kernel answered",
    )
    wire = (
        "stranger -> kernel   <IDS|MSG> first frame of a handshake   (5,000 times)",
        "another client -> kernel   <IDS|MSG> HELLO with a nonce of its own   (1,000 times)",
    )
    expected = (
        ("NKBG", ABSENT, "there is no handshake"),
        ("O", STOPPED, "challenges wait in a bounded table, and nobody waits for a stranger's"),
        ("C", STOPPED, "a HELLO is answered once, and each client gets 50 answers a second"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        seen = stage.heard(lambda p: p.to is Role.KERNEL and is_greeting(p))
        first = seen.frames[-1]
        changed = first[:-1] + bytes([first[-1] ^ 1])
        stranger, insider = stage.loose(seen.channel), stage.loose(seen.channel, listed=True)
        before, start = stage.looked_at(seen.channel), time.monotonic()
        stranger.send(*([DELIMITER, first if n % 2 else changed] for n in range(FLOOD)))
        own = _hellos(stage) if stage.column.traits.invitations else []
        insider.send(*own)
        refused = FLOOD if own else FLOOD // 2  # at least; what is answered is not counted
        stage.settle(seen.channel, before + refused, FLOOD_PATIENCE)
        try:
            stage.victim.run("None")
            stage.person().run("None")
        except (TimeoutError, MinikernelError) as problem:
            return judged(True, f"somebody was kept out: {problem}")
        if not own:
            return judged(False, "the victim and a newcomer got their answers")
        copies, others = _answers(stranger), _answers(insider)
        allowed = BUDGET * (1 + int(time.monotonic() - start))
        return judged(
            copies or others > allowed,
            f"the victim and a newcomer got their answers; answered were {copies} copies, and"
            f" {others} of another client",
        )


def _hellos(stage: Stage) -> list[list[bytes]]:
    """First frames of a client with an invitation, each with a nonce of its own."""
    end = ClientEnd(Master(stage.key).invite(GUEST, GUEST_RIGHTS), entropy=os.urandom)
    return [[DELIMITER, end.hello()] for _ in range(OWN)]


def _answers(socket: Loose) -> int:
    """How many messages have come."""
    return sum(1 for _ in iter(lambda: socket.receive(TURN), None))
