"""Honest messages from or to the wrong connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab import reasons as why
from minikernel.lab.attackers import Copy, retold
from minikernel.lab.attacks.forging import waits_for
from minikernel.lab.attacks.rules import Hold
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import STOPPED, THROUGH
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage

TOLD = "b'meant for one reader only'.hex()"
TOLD_TEXT = b"meant for one reader only".hex()
CONNECTED = 0.5  # seconds in which a connection on this machine is made


class PresentInAnothersConnection(Attack):
    """Present one client's request in another's connection, which gets the reply."""

    steps = (
        "hold back a request of the victim's",
        "deliver it in the connection of a second client",
    )
    wire = ("second client's connection -> kernel   the victim's request",)
    expected = (
        ("KBG", THROUGH, why.NO_ROUTE),
        ("O", THROUGH, "any identity that was challenged is as good as another"),
        ("C", STOPPED, why.ROUTE),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, hold = stage.marker(), Hold("execute_request", times=1)
        start = len(stage.middle.tape)
        other = stage.behind_the_middle()
        other.run("None")
        route = stage.request(start).client
        before, start = stage.looked_at(Channel.SHELL), len(stage.middle.tape)
        stage.middle.rule = hold
        stage.victim.execute(marker.code())
        held = stage.request(start)
        stage.middle.inject(held._replace(client=route))
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


class DeliverOverOnesOwnConnection(Attack):
    """Deliver a held request over one's own connection, without a key."""

    steps = (
        "hold back a request of the victim's",
        "connect a socket to the kernel's shell port, and send the request there",
        "read the reply",
    )
    wire = ("stranger -> kernel   the victim's request",)
    expected = (
        ("KBG", THROUGH, why.NO_ROUTE),
        ("O", STOPPED, "the connection of a stranger was not challenged"),
        ("C", STOPPED, why.ROUTE),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, hold = stage.marker(), Hold("execute_request", times=1)
        before = stage.looked_at(Channel.SHELL)
        stage.middle.rule = hold
        stage.victim.execute(marker.code())
        held = stage.request()
        stage.loose(Channel.SHELL).send(held.frames)
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


class CopyAnIdentity(Attack):
    """Copy the identity of a connection, and take the reply."""

    steps = (
        "the victim runs a cell that waits, and whose reply holds a secret",
        "connect to the kernel with the identity of the victim's connection",
        "the cell ends",
    )
    wire = (
        "stranger (identity of the victim) -> kernel   anything",
        "kernel -> stranger   <IDS|MSG> signature {execute_reply} ... {secret}",
    )
    expected = (
        (
            "NKOBG",
            THROUGH,
            "stock clients come back with their identity: whoever brings it gets it",
        ),
        ("C", STOPPED, "no identity is set or handed over; a route comes of a valid message"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        go = stage.marker()
        stage.victim.do(
            lambda client: client.execute(
                waits_for(go.path), user_expressions={"secret": TOLD}, allow_stdin=False
            )
        )
        identity = stage.request().client
        before = stage.looked_at(Channel.SHELL)
        stranger = stage.loose(Channel.SHELL, identity)
        stranger.send([DELIMITER, b"", b"{}", b"{}", b"{}", b"{}"])
        # The main thread is in the cell: whether the identity has changed hands can't be asked.
        stage.wait_until(lambda: stage.looked_at(Channel.SHELL) > before, CONNECTED)
        go.path.touch()
        stage.settle(Channel.SHELL, before + 1)
        heard = b""
        while (frames := stranger.receive(CONNECTED)) is not None:
            heard += b"".join(frames)
        got = TOLD_TEXT.encode() in heard
        return judged(got, "the stranger has the reply" if got else "the stranger got no reply")


class AnswerFromAnotherConnection(Attack):
    """Answer the victim's input_request from another connection, with copied credentials."""

    steps = (
        "the victim runs a cell that asks; its answer is held back",
        "send another answer from a connection of one's own, with the victim's names in it",
        "the victim's answer goes on",
    )
    wire = ("stranger -> kernel   <IDS|MSG> copied header parent metadata {value'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", STOPPED, "the connection of a stranger was not challenged"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, "an answer must come in the session that was asked, by its route"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        hold = Hold("input_reply")
        stage.middle.rule = hold
        cell = stage.victim.start("print(input())", on_input=lambda *_: "honest")
        answer = stage.request(kind="input_reply")
        before = stage.looked_at(Channel.STDIN)
        other = retold(
            answer, Copy(), header={"msg_id": "forged"}, content={"value": "the stranger's"}
        )
        stage.loose(Channel.STDIN).send(other.frames)
        stage.wait_until(lambda: stage.looked_at(Channel.STDIN) > before)
        stage.middle.inject(answer)
        shown = cell.result().stdout
        return judged("honest" not in shown, f"the cell was told: {shown.strip()!r}")


class AnswerALaterQuestion(Attack):
    """Withhold an input_reply, and deliver it for a later question."""

    steps = (
        "the victim answers a question; its answer is held back, and the cell is interrupted",
        "another cell asks something else; the victim's answer is held back again",
        "deliver the first answer; where it names its question and is not signed, without the name",
    )
    wire = ("middle -> kernel   <IDS|MSG> signature header {} metadata {value of the first}",)
    expected = (
        ("N", THROUGH, "which question it answers can be cut out of the message"),
        ("K", THROUGH, "which question it answers can be cut out of the message"),
        ("O", THROUGH, "which question it answers can be cut out of the message"),
        ("BG", STOPPED, "our client names the question, and the signature covers it"),
        ("C", STOPPED, "an answer names its question"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        hold = Hold("input_reply")
        stage.middle.rule = hold
        first = stage.victim.start("input('one? ')", on_input=lambda *_: "to the first")
        answer = stage.request(kind="input_reply")
        stage.warden.do(lambda client: client.interrupt())
        first.result()
        start = len(stage.middle.tape)
        second = stage.victim.start("print(input('two? '))", on_input=lambda *_: "to the second")
        honest = stage.request(start, "input_reply")
        before = stage.looked_at(Channel.STDIN)
        stage.middle.inject(answer, retold(answer, Copy(), parent_header={}))
        stage.wait_until(lambda: stage.looked_at(Channel.STDIN) >= before + 2)
        stage.middle.inject(honest)
        shown = second.result().stdout
        return judged("first" in shown, f"the second question was answered: {shown.strip()!r}")
