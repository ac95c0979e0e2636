"""Reading what is meant for others."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.stage import TURN
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage

TRIES = 20


class ReadIopub(Attack):
    """Read iopub without a key."""

    steps = (
        "connect a SUB socket to the kernel's iopub port, and subscribe to everything",
        "the victim prints a secret",
    )
    wire = ("SUB -> kernel   \\x01", "kernel -> SUB   topic <IDS|MSG> signature {stream: secret}")

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stranger = stage.loose(Channel.IOPUB)
        secret = uuid.uuid4().hex
        for _ in range(TRIES):  # a subscription takes a moment to arrive
            stage.victim.run(f"print({secret!r})")
            while (heard := stranger.receive(TURN)) is not None:
                if secret.encode() in b"".join(heard):
                    return judged(True, "the stranger has the secret")
        return judged(False, "the stranger heard nothing of it")


class ReadRequests(Attack):
    """Read requests and replies on their way."""

    steps = ("stand between victim and kernel, and change nothing", "the victim runs a secret")
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code: secret}",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        secret = uuid.uuid4().hex
        start = len(stage.middle.tape)
        stage.victim.run(f"_ = {secret!r}", user_expressions={"answer": "_[::-1]"})
        passed = b"".join(b"".join(p.frames) for p in stage.middle.tape[start:])
        read = secret.encode() in passed and secret[::-1].encode() in passed
        return judged(read, "code and reply can be read" if read else "nothing can be read")
