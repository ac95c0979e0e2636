"""Honest messages, once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.attackers import msg_type, parent_id, parts, signature
from minikernel.lab.attacks.rules import Hold, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage
    from minikernel.transport.middle import Passing

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
        "deliver the first reply again, then the second",
    )
    wire = ("middle -> victim   the first reply, again",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        replies: list[Passing] = []

        def change(passing: Passing) -> list[Passing]:
            replies.append(passing)
            return [*replies[:1], passing]

        stage.middle.rule = on("execute_reply", change)
        given = [
            stage.victim.run("None", user_expressions={"answer": n}).user_expressions
            for n in ("1", "2")
        ]
        text = given[1]["answer"]["data"]["text/plain"]
        return judged(text != "2", f"the second request was answered with {text}")


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
