"""Attackers who hold a key: another client's, or the kernel's own."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.frames import NONCE, mac, unsigned_hello
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.rights import ALL_RIGHTS, Right
from minikernel.errors import MinikernelError
from minikernel.lab import reasons as why
from minikernel.lab.attackers import parent_id, retold
from minikernel.lab.attacks.forging import FORGED
from minikernel.lab.attacks.rules import Hold, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import ABSENT, STOPPED, THROUGH
from minikernel.lab.stage import MOMENT, NARROW
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.attackers import Pen
    from minikernel.lab.columns import Column
    from minikernel.lab.stage import Stage

OWNERS = "the-owners"  # a msg_id


class AnotherHolderForgesOutput(Attack):
    """Another key holder forges output for the victim."""

    steps = (
        "the victim runs a cell that prints",
        "after its output, another client sends one more, signed with its own key",
    )
    wire = ("another client -> victim   topic <IDS|MSG> own signature header' parent {} {text'}",)
    expected = (
        ("NKBG", THROUGH, why.SHARED),
        ("O", THROUGH, "iopub is not authenticated"),
        ("C", STOPPED, why.OWN_KEY),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        pen = stage.other_pen()
        stage.middle.rule = on(
            "stream",
            lambda p: [
                p,
                retold(p, pen, header={"msg_id": "forged"}, content={"text": FORGED}),
            ],
        )
        shown = stage.victim.run("print('honest')").stdout
        return judged(FORGED in shown, f"shown: {shown.strip()!r}")


class AnotherHolderForgesARequest(Attack):
    """Another key holder forges a request in the victim's name."""

    steps = (
        "another client sends a request with the victim's session in its header",
        "look in whose name it is executed",
    )
    wire = ("another client -> kernel   <IDS|MSG> own signature {session of the victim} ...",)
    expected = (
        ("NKBG", THROUGH, why.SHARED),
        ("O", THROUGH, "a trusted identity may write any name into its header"),
        ("CV", STOPPED, "header.session must be the one that this session began with"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run("None")
        other = stage.other_holder()
        before = stage.looked_at(Channel.SHELL)
        other.execute(marker.code(), session=stage.victim.session)
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


class AnotherHolderAnswersInput(Attack):
    """Another key holder answers the question that the victim's cell asks."""

    steps = (
        "the victim runs a cell that asks; its answer is held back",
        "another client answers with the victim's question and session in its message",
        "it answers once more, in its own session",
        "the victim's answer goes on",
    )
    wire = ("another client -> kernel   <IDS|MSG> own signature {session} {question} {} {value'}",)
    expected = (
        ("NKBG", THROUGH, why.SHARED),
        ("O", THROUGH, "a trusted identity may write any name into its header"),
        ("C", STOPPED, "an answer must come in the session that was asked"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        other = stage.other_holder()
        stage.middle.rule = Hold("input_reply")
        cell = stage.victim.start("print(input())", on_input=lambda *_: "honest")
        answer = stage.request(kind="input_reply")
        before = stage.looked_at(Channel.STDIN)
        for session in (stage.victim.session, other.session):
            other.say(
                Channel.STDIN,
                "input_reply",
                {"value": FORGED},
                parent={"header": {"msg_id": parent_id(answer)}},
                session=session,
            )
        stage.wait_until(lambda: stage.looked_at(Channel.STDIN) > before + 1)
        stage.middle.inject(answer)
        shown = cell.result().stdout
        return judged(FORGED in shown, f"the cell was told: {shown.strip()!r}")


class SpeakUnderTheOwnersMsgId(Attack):
    """A client with few rights speaks under the owner's msg_id."""

    steps = (
        "where there are rights, invite a client that may only observe",
        "it sends a cell with the victim's msg_id and session, and asks a question so",
        "look whether the cell is executed, and whether the kernel answers in the victim's name",
    )
    wire = ("onlooker -> kernel   <IDS|MSG> own signature {msg_id, session of the victim} ...",)
    expected = (
        ("NKOBG", THROUGH, "there are no rights: a holder of the key may do everything"),
        ("CV", STOPPED, "rights belong to the session's key, and so does the name in the header"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        other = stage.other_holder(NARROW, Right.OBSERVE)
        before = stage.looked_at(Channel.SHELL)
        stage.victim.execute("None", msg_id=OWNERS)
        stage.settle(Channel.SHELL, before + 1)
        before = stage.looked_at(Channel.SHELL)
        session = stage.victim.session
        other.execute(marker.code(), msg_id=OWNERS, session=session)
        stage.settle(Channel.SHELL, before + 1)
        status = other.status_of(Channel.CONTROL, "kernel_info", msg_id=OWNERS, session=session)
        return judged(
            marker.text or status == "ok", f"{marker}; its question was answered: {status}"
        )


class WidenRights(Attack):
    """A client with an invitation widens its rights."""

    steps = (
        "invite a client that may only observe",
        "it begins a handshake for all rights, with its own key",
        "it writes all rights into its connection file, connects, and sends a request",
    )
    wire = ("onlooker -> kernel   <IDS|MSG> HELLO with rights 255 and a tag of its own key",)
    expected = (
        ("NKOBG", ABSENT, "there are no rights"),
        (
            "CV",
            STOPPED,
            "the kernel derives the key from the rights that HELLO names, and HELLO has a tag",
        ),
    )

    def applies(self, column: Column) -> bool:
        """Whether there are invitations."""
        return column.traits.invitations

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, loose = stage.marker(), stage.loose(Channel.CONTROL, listed=True)
        own = Master(stage.key).invite(NARROW, Right.OBSERVE)
        unsigned = unsigned_hello(os.urandom(NONCE), ALL_RIGHTS, NARROW)
        loose.send([DELIMITER, unsigned + mac(own.hello_key, unsigned)])
        fields = {**stage.invitation(NARROW, Right.OBSERVE), "rights": ALL_RIGHTS}
        with contextlib.suppress(MinikernelError):
            stage.person(patience=MOMENT, **fields).gives_up(marker.code(), MOMENT)
        answered = loose.receive(0) is not None
        seen = "the kernel shook hands with it" if answered else "nobody shook hands with it"
        return judged(answered or marker.text, f"{seen}; {marker}")


class ActsInTheMiddle(Attack):
    """Changes a request and what is published, and re-signs both; see the subclasses."""

    def _act_with(self, stage: Stage, pen: Pen) -> Evidence:
        marker, before = stage.marker(), stage.looked_at(Channel.SHELL)
        stage.middle.rule = on(
            "execute_request", lambda p: [retold(p, pen, content={"code": marker.code()})]
        )
        stage.victim.execute("None")
        stage.settle(Channel.SHELL, before + 1)
        stage.middle.rule = on("stream", lambda p: [retold(p, pen, content={"text": FORGED})])
        shown = stage.victim.run("print('honest')").stdout
        through = marker.text or FORGED in shown
        return judged(through, f"{marker}; shown: {shown.strip()!r}")


class MiddleWithAnothersKey(ActsInTheMiddle):
    """Sit in the middle with another client's key."""

    steps = (
        "hold the key of another client: the key of all, or that of an invitation",
        "change the victim's request, and what is published for it, and sign both with that key",
    )
    wire = ("middle -> kernel   <IDS|MSG> signature with another's key, header {} {} {code'}",)
    expected = (
        ("NKBG", THROUGH, why.SHARED),
        ("O", THROUGH, why.ONCE_PATH),
        ("C", STOPPED, why.OWN_KEY),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        return self._act_with(stage, stage.other_pen())


class MiddleWithTheMasterKey(ActsInTheMiddle):
    """Sit in the middle with the key of the connection file, and CURVE's secret key."""

    initiated = True
    steps = (
        "hold the connection file; where there is a handshake, derive its session keys",
        "change the victim's request, and what is published for it, and sign both again",
    )
    wire = ("middle -> kernel   <IDS|MSG> the right signature, header {} {} {code'}",)
    expected = (
        ("NKOBG", THROUGH, why.SHARED),
        (
            "CV",
            THROUGH,
            "a holder of the key who hears the handshake derives all keys; with CURVE, its key too",
        ),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        return self._act_with(stage, stage.pen())
