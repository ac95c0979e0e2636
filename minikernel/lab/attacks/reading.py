"""Reading what is meant for others."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from minikernel.lab import reasons as why
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import STOPPED, THROUGH
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
    expected = (
        ("NKOBGC", THROUGH, "a SUB socket needs no key, and what is published is not encrypted"),
        ("V", STOPPED, why.CURVE),
    )

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

    steps = ("sit between victim and kernel, and change nothing", "the victim runs a secret")
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code: secret}",)
    expected = (("NKOBGC", THROUGH, why.CLEARTEXT),)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        secret = uuid.uuid4().hex
        start = len(stage.middle.tape)
        stage.victim.run(f"_ = {secret!r}", user_expressions={"answer": "_[::-1]"})
        passed = b"".join(b"".join(p.frames) for p in stage.middle.tape[start:])
        read = secret.encode() in passed and secret[::-1].encode() in passed
        return judged(read, "code and reply can be read" if read else "nothing can be read")


class ReadControl(Attack):
    """Read what passes on control."""

    steps = (
        "sit between victim and kernel, and change nothing",
        "the victim asks for the kernel's ledger (auth_status_request)",
    )
    wire = ("kernel -> victim   <IDS|MSG> signature header parent {} {channels}",)
    expected = (("NKOBGC", THROUGH, why.CLEARTEXT),)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        start = len(stage.middle.tape)
        stage.victim.do(lambda client: client.auth_status())
        passed = _passed(stage, start, Channel.CONTROL)
        read = b"auth_status_request" in passed and b'"verified"' in passed
        return judged(read, "request and reply can be read" if read else "nothing can be read")


class ReadAnswers(Attack):
    """Read questions and answers on stdin."""

    steps = (
        "sit between victim and kernel, and change nothing",
        "the victim runs a cell that asks for a password, and answers",
    )
    wire = ("victim -> kernel   <IDS|MSG> signature header parent metadata {value: password}",)
    expected = (("NKOBGC", THROUGH, why.CLEARTEXT),)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        secret, start = uuid.uuid4().hex, len(stage.middle.tape)
        stage.victim.run("_ = input('password? ')", on_input=lambda *_: secret)
        read = secret.encode() in _passed(stage, start, Channel.STDIN)
        return judged(read, "the password can be read" if read else "nothing can be read")


def _passed(stage: Stage, start: int, channel: Channel) -> bytes:
    return b"".join(b"".join(p.frames) for p in stage.middle.tape[start:] if p.channel is channel)
