"""Honest messages, once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minikernel.lab.attackers import Copy, msg_type, parts, retold, signature
from minikernel.lab.attacks.forging import waits_for
from minikernel.lab.attacks.rules import Hold, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage
    from minikernel.transport.passing import Passing

FLOOD = 66_000  # more than a replay memory holds
FLOOD_PATIENCE = 60.0  # seconds


class ReplayInTheSameRun(Attack):
    """Replay an accepted request in the same run of the kernel."""

    steps = (
        "record a request of the victim's that was accepted",
        "connect with the identity of its connection, and send it again",
    )
    wire = ("stranger (identity of the victim) -> kernel   the recorded frames",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run(marker.code())
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        stage.loose(Channel.SHELL, seen.client).send(seen.frames)
        stage.settle(Channel.SHELL, before + 1)
        return judged(len(marker.text) > 1, str(marker))


class DuplicateOnTheConnection(Attack):
    """Duplicate a request on the victim's own connection."""

    steps = ("send on each of the victim's requests twice",)
    wire = ("victim -> kernel   the frames, and the frames again",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, before = stage.marker(), stage.looked_at(Channel.SHELL)
        stage.middle.rule = on("execute_request", lambda p: [p, p])
        stage.victim.run(marker.code())
        stage.settle(Channel.SHELL, before + 2)
        return judged(len(marker.text) > 1, str(marker))


class ReplayAfterAFlood(Attack):
    """Replay a request after a stranger flooded the replay memory."""

    steps = (
        "record a request of the victim's that was accepted",
        "send 66,000 messages with signatures of one's own invention",
        "send the recorded request again",
    )
    wire = ("stranger -> kernel   <IDS|MSG> 64 hex digits {} {} {} {}   (66,000 times)",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run(marker.code())
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        stranger = stage.loose(Channel.SHELL, seen.client)
        stranger.send(*([DELIMITER, b"%064x" % n, *[b"{}"] * 4] for n in range(FLOOD)))
        stage.settle(Channel.SHELL, before + FLOOD, FLOOD_PATIENCE)
        stranger.send(seen.frames)
        stage.settle(Channel.SHELL, before + FLOOD + 1)
        return judged(len(marker.text) > 1, str(marker))


class ReplayAfterARestart(Attack):
    """Replay what was recorded before the kernel was killed and started again."""

    steps = (
        "record a request of the victim's that was accepted",
        "the kernel is killed and started on the same connection file; the victim connects again",
        "send the recorded request with the identity that the victim has now",
    )
    wire = ("stranger (identity of the victim) -> kernel   the recorded frames",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run(marker.code())
        seen = stage.request()
        start = len(stage.middle.tape)
        stage.restart()
        stage.victim.run("None")
        identity = stage.request(start).client
        before = stage.looked_at(Channel.SHELL)
        stage.loose(Channel.SHELL, identity).send(seen.frames)
        stage.settle(Channel.SHELL, before + 1)
        return judged(len(marker.text) > 1, str(marker))


class ReplayIopub(Attack):
    """Replay output: the victim is shown it twice."""

    steps = ("deliver what the victim's cell prints a second time, while the cell runs",)
    wire = ("kernel -> victim   the frames, and the frames again",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = on("stream", lambda p: [p, p])
        shown = stage.victim.run("print('once')").stdout
        return judged(shown.count("once") > 1, f"shown: {shown!r}")


class ReplayAReply(Attack):
    """Replay an old reply in the place of the one to a later request."""

    steps = (
        "record the reply to the victim's first request, and hold back that to its second",
        "before the second deliver the first again, as it was and as if it answered that",
    )
    wire = ("middle -> victim   the first reply, again",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        replies: list[Passing] = []

        def change(passing: Passing) -> list[Passing]:
            replies.append(passing)
            return [*_again(replies[0], passing), passing]

        stage.middle.rule = on("execute_reply", change)
        given = [
            stage.victim.run("None", user_expressions={"answer": n}).user_expressions
            for n in ("1", "2")
        ]
        text = given[1]["answer"]["data"]["text/plain"]
        return judged(text != "2", f"the second request was answered with {text}")


def _again(old: Passing, new: Passing) -> list[Passing]:
    """An old reply, as it was, and as if it answered the new request."""
    return [old, retold(old, Copy(), parent_header=json.loads(parts(new)[1]))]


class ReplayOnControl(Attack):
    """Replay an interrupt of the victim's: a later cell is interrupted."""

    steps = (
        "record an interrupt_request of the victim's",
        "the victim runs a cell that waits; send the recorded request in its connection",
    )
    wire = ("middle -> kernel   <IDS|MSG> the recorded {interrupt_request} ...",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.victim.do(lambda client: client.interrupt())
        seen = stage.request(kind="interrupt_request")
        go, start = stage.marker(), len(stage.middle.tape)
        cell = stage.victim.start(waits_for(go.path))
        stage.heard(lambda p: msg_type(p) == "execute_input", start)
        before = stage.looked_at(Channel.CONTROL)
        stage.middle.inject(seen)
        stage.wait_until(lambda: stage.looked_at(Channel.CONTROL) > before)
        go.path.touch()
        status = cell.result().status
        return judged(status == "error", f"the victim's cell ended with {status!r}")


class ReplayAnAnswer(Attack):
    """Replay an answer to input(), for the next question."""

    steps = (
        "record the victim's answer to a question",
        "at its next question deliver it first, with and without the name of its question",
    )
    wire = ("middle -> kernel   <IDS|MSG> the recorded {input_reply}, then the honest one",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        answers: list[Passing] = []

        def change(passing: Passing) -> list[Passing]:
            answers.append(passing)
            old = answers[0]
            again = [old, retold(old, Copy(), parent_header={})] if passing is not old else []
            return [*again, passing]

        stage.middle.rule = on("input_reply", change)
        said = iter(("first", "second"))
        code = "print(input(), input())"
        shown = stage.victim.run(code, on_input=lambda *_: next(said)).stdout.strip()
        return judged(shown == "first first", f"the cell was told: {shown!r}")


class ReplayAQuestion(Attack):
    """Replay a question: the victim answers it again, and its answer could be used later."""

    steps = ("deliver the kernel's question to the victim twice",)
    wire = ("kernel -> victim   the {input_request}, and again",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        asked: list[str] = []

        def answer(prompt: str, _password: bool) -> str:  # noqa: FBT001 - on_input's signature
            asked.append(prompt)
            return "answer"

        stage.middle.rule = on("input_request", lambda p: [p, p])
        stage.victim.run("input('one? '), input('two? ')", on_input=answer)
        return judged(asked.count("one? ") > 1, f"the victim was asked: {asked}")


class ReplayAControlReply(Attack):
    """Replay an old reply on control, in the place of the one to a later request."""

    steps = (
        "record the reply to the victim's auth_status_request",
        "before the reply to its next one deliver it again, as it was and as if it answered that",
    )
    wire = ("middle -> victim   the first reply, again",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        replies: list[Passing] = []

        def change(passing: Passing) -> list[Passing]:
            replies.append(passing)
            return [*_again(replies[0], passing), passing]

        stage.middle.rule = on("auth_status_reply", change)
        old, new = (
            stage.victim.do(lambda client: client.auth_status())["control"].verified
            for _ in range(2)
        )
        return judged(new == old, f"the kernel counted {old}, and is said to have counted {new}")


class ShowOldIopub(Attack):
    """Show old output to a client that joins later, as if it were new."""

    steps = (
        "record what the kernel publishes for a cell of the victim's",
        "a client joins, and watches iopub",
        "deliver the recorded message to it",
    )
    wire = ("middle -> late joiner   topic <IDS|MSG> the recorded frames",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.victim.run("print('old news')")
        old = stage.heard(lambda p: msg_type(p) == "stream")
        joiner = stage.behind_the_middle()
        stage.middle.inject(old)
        shown = joiner.watch_until_a_cell_ends()
        return judged("old news" in shown, f"shown: {shown.strip()!r}")


class BurnAPendingSignature(Attack):
    """Burn a pending signature with junk: what it belongs to is then refused as a replay."""

    steps = (
        "hold back a request of the victim's",
        "send other frames with its signature, from elsewhere and in its connection",
        "let the request go on",
    )
    wire = ("stranger -> kernel   <IDS|MSG> signature of the request, {} {} {} {}",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, hold = stage.marker(), Hold("execute_request")
        before = stage.looked_at(Channel.SHELL)
        stage.middle.rule = hold
        stage.victim.execute(marker.code())
        request = stage.request()
        junk = [DELIMITER, signature(request), b"{}", b"{}", b"{}", b"{}"]
        stage.loose(Channel.SHELL).send(junk)
        stage.middle.inject(request._replace(frames=junk))
        stage.settle(Channel.SHELL, before + 2)
        stage.middle.inject(request)
        stage.settle(Channel.SHELL, before + 3)
        return judged(not marker.text, str(marker))
