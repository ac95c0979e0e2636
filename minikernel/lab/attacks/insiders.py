"""Attackers who hold a key: another client's, or the kernel's own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac_keys import ALL_RIGHTS, Right
from minikernel.errors import MinikernelError
from minikernel.lab.attackers import parent_id, retold
from minikernel.lab.attacks.forging import FORGED
from minikernel.lab.attacks.rules import Hold, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.stage import MOMENT, NARROW
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from minikernel.lab.attackers import Pen
    from minikernel.lab.columns import Column
    from minikernel.lab.stage import Stage


class AnotherHolderForgesOutput(Attack):
    """Another key holder forges output for the victim."""

    steps = (
        "the victim runs a cell that prints",
        "after its output, another client sends one more, signed with its own key",
    )
    wire = ("another client -> victim   topic <IDS|MSG> own signature header' parent {} {text'}",)

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
        "another client answers, with the victim's session and question in its message",
        "the victim's answer goes on",
    )
    wire = ("another client -> kernel   <IDS|MSG> own signature {session} {question} {} {value'}",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        other = stage.other_holder()
        stage.middle.rule = Hold("input_reply")
        cell = stage.victim.start("print(input())", on_input=lambda *_: "honest")
        answer = stage.request(kind="input_reply")
        before = stage.looked_at(Channel.STDIN)
        other.say(
            Channel.STDIN,
            "input_reply",
            {"value": FORGED},
            parent={"header": {"msg_id": parent_id(answer)}},
            session=stage.victim.session,
        )
        stage.wait_until(lambda: stage.looked_at(Channel.STDIN) > before)
        stage.middle.inject(answer)
        shown = cell.result().stdout
        return judged(FORGED in shown, f"the cell was told: {shown.strip()!r}")


class SpeakUnderTheOwnersMsgId(Attack):
    """A client with few rights speaks under the owner's msg_id."""

    steps = (
        "where there are rights, invite a client that may only observe",
        "it sends a request with the victim's msg_id and session",
    )
    wire = ("onlooker -> kernel   <IDS|MSG> own signature {msg_id, session of the victim} ...",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        other = stage.other_holder(NARROW, Right.OBSERVE)
        before = stage.looked_at(Channel.SHELL)
        stage.victim.execute("None", msg_id="owners")
        stage.settle(Channel.SHELL, before + 1)
        before = stage.looked_at(Channel.SHELL)
        other.execute(marker.code(), msg_id="owners", session=stage.victim.session)
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


class WidenRights(Attack):
    """A client with an invitation widens its rights."""

    steps = (
        "invite a client that may only observe",
        "it writes all rights into its connection file, connects, and sends a request",
    )
    wire = ("onlooker -> kernel   <IDS|MSG> HELLO with rights 255 and a tag of its own key",)

    def applies(self, column: Column) -> bool:
        """Whether there are invitations."""
        return column.invitations

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        fields = {**stage.invitation(NARROW, Right.OBSERVE), "rights": ALL_RIGHTS}
        with contextlib.suppress(MinikernelError):
            stage.person(patience=MOMENT, **fields).gives_up(marker.code(), MOMENT)
        return judged(marker.text, str(marker))


class ActsInTheMiddle(Attack):
    """Changes a request and what is published, and signs both anew; see the subclasses."""

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
    """Stand in the middle with another client's key."""

    steps = (
        "hold the key of another client: the key of all, or that of an invitation",
        "change the victim's request, and what is published for it, and sign both with that key",
    )
    wire = ("middle -> kernel   <IDS|MSG> signature with another's key, header {} {} {code'}",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        return self._act_with(stage, stage.other_pen())


class MiddleWithTheMasterKey(ActsInTheMiddle):
    """Stand in the middle with the key of the connection file, and CURVE's secret key."""

    initiated = True
    steps = (
        "hold the connection file; where there is a handshake, derive its session keys",
        "change the victim's request, and what is published for it, and sign both anew",
    )
    wire = ("middle -> kernel   <IDS|MSG> the right signature, header {} {} {code'}",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        return self._act_with(stage, stage.pen())
