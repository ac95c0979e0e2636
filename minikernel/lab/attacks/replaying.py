"""Honest messages, once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minikernel.lab import reasons as why
from minikernel.lab.attackers import Copy, msg_type, parts, retold, signature
from minikernel.lab.attacks.forging import waits_for
from minikernel.lab.attacks.rules import Hold, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import STOPPED, THROUGH
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.network.passing import Passing
    from minikernel.lab.stage import Stage

FLOOD = 66_000  # more than a replay memory holds
FLOOD_PATIENCE = 60.0  # seconds


class ReplayInTheSameRun(Attack):
    """Replay an accepted request in the same run of the kernel."""

    steps = (
        "record a request of the victim's that was accepted",
        "send it again in the victim's connection",
        "connect with the identity of that connection, and send it once more",
    )
    wire = (
        "middle -> kernel   the recorded frames",
        "stranger (identity of the victim) -> kernel   the recorded frames",
    )
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, why.TRUSTED),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, why.MEMORY),
        ("C", STOPPED, why.COUNTER),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run(marker.code())
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        stage.middle.inject(seen)
        stage.settle(Channel.SHELL, before + 1)
        stage.loose(Channel.SHELL, seen.client).send(seen.frames)
        stage.settle(Channel.SHELL, before + 2)
        return judged(len(marker.text) > 1, str(marker))


class DuplicateOnTheConnection(Attack):
    """Duplicate a request on the victim's own connection."""

    steps = ("send on each of the victim's requests twice",)
    wire = ("victim -> kernel   the frames, and the frames again",)
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, why.TRUSTED),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, why.MEMORY),
        ("C", STOPPED, why.COUNTER),
    )

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
        "send the recorded request again, in the victim's connection",
    )
    wire = (
        "stranger -> kernel   <IDS|MSG> 64 hex digits {} {} {} {}   (66,000 times)",
        "middle -> kernel   the recorded frames",
    )
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, why.TRUSTED),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, "only what has verified is remembered: junk pushes nothing out"),
        ("C", STOPPED, "a counter is one number: it can't be flushed"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run(marker.code())
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        junk = ([DELIMITER, b"%064x" % n, *[b"{}"] * 4] for n in range(FLOOD))
        stage.loose(Channel.SHELL).send(*junk)
        stage.settle(Channel.SHELL, before + FLOOD, FLOOD_PATIENCE)
        stage.middle.inject(seen)
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
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, "a recorded message is unsigned: any identity that is trusted will do"),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, "the memory is in a file, written before a message is acted on"),
        ("C", STOPPED, "a new run has a new run id and no sessions"),
    )

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
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, "iopub is not authenticated"),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, "our client remembers, too"),
        ("C", STOPPED, "iopub is numbered, and the numbers strictly increase"),
    )

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
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "the client's DEALER can't tell who replies; it trusts"),
        ("BG", STOPPED, "the signed parent_header names the request, which has its reply"),
        ("C", STOPPED, "counters strictly increase, and the request has its reply"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        cell = {"code": "None", "silent": False, "allow_stdin": False}
        return _with_old_replies(stage, Channel.SHELL, "execute", cell)


def _with_old_replies(
    stage: Stage, channel: Channel, kind: str, content: dict[str, object]
) -> Evidence:
    """What the victim takes for the replies to two requests, if old ones come before the second."""
    replies: list[Passing] = []

    def change(passing: Passing) -> list[Passing]:
        replies.append(passing)
        old = [] if len(replies) == 1 else _again(replies[0], passing)
        return [*old, passing]

    stage.middle.rule = on(f"{kind}_reply", change)
    given: list[str] = []
    for _ in "12":
        asked = stage.victim.say(channel, f"{kind}_request", content)
        given += stage.victim.replies_until(channel, asked)
    old = len(given) - len(set(given))
    return judged(old, f"the victim was given {len(given)} replies, {old} of them old")


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
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, why.TRUSTED),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, why.MEMORY),
        ("C", STOPPED, why.COUNTER),
    )

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
    expected = (
        ("NKO", THROUGH, "which question it answers can be cut out of the message"),
        ("BG", STOPPED, "our client names the question, and the signature covers it"),
        ("C", STOPPED, "counters strictly increase, and the answer names its question"),
    )

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
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, "the client's DEALER can't tell who asks; it trusts"),
        ("B", THROUGH, why.NO_MEMORY),
        ("G", STOPPED, "our client remembers, too"),
        ("C", STOPPED, why.COUNTER),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        asked: list[str] = []

        def answer(prompt: str, _password: object) -> str:
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
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "the client's DEALER can't tell who replies; it trusts"),
        ("BG", STOPPED, "the signed parent_header names the request, which has its reply"),
        ("C", STOPPED, "counters strictly increase, and the request has its reply"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        return _with_old_replies(stage, Channel.CONTROL, "auth_status", {})


class ShowOldIopub(Attack):
    """Show old output to a client that joins later, as if it were new."""

    steps = (
        "record what the kernel publishes for a cell of the victim's",
        "a client joins, and watches iopub",
        "deliver the recorded message to it",
    )
    wire = ("middle -> late joiner   topic <IDS|MSG> the recorded frames",)
    expected = (
        ("K", THROUGH, "the key stays the same"),
        ("O", THROUGH, "iopub is not authenticated"),
        ("BG", THROUGH, "the signature is valid, and a client that joins remembers nothing"),
        ("C", STOPPED, "it has no tag for the new session"),
    )

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
    expected = (
        ("NKOB", STOPPED, "nothing is remembered"),
        ("G", STOPPED, "what is remembered is the kernel's own digest, after it verified"),
        ("C", STOPPED, "a counter is marked after its tag has verified"),
    )

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
