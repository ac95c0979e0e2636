"""Honest messages, unchanged: later, in another order, elsewhere, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from minikernel.lab import reasons as why
from minikernel.lab.attackers import msg_type
from minikernel.lab.attacks.losses import Losses
from minikernel.lab.attacks.rules import Hold, HoldChannel, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.people import PATIENCE
from minikernel.lab.reasons import NOTICED, STOPPED, THROUGH
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.lab.network.passing import Passing
    from minikernel.lab.stage import Stage

DELAY = 0.3  # seconds
AHEAD = 20  # messages that make shell's counter higher than that of control


class SwapRequests(Attack):
    """Swap two requests of the victim's."""

    steps = (
        "the victim sends two cells; hold back the first",
        "once the kernel has the second, let the first go on",
    )
    wire = ("victim -> kernel   second request, first request",)
    expected = (
        ("NKOBG", THROUGH, why.NO_ORDER),
        ("C", STOPPED, "after the second counter the first is refused; its sender gets no reply"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, hold = stage.marker(), Hold("execute_request", times=1)
        before = stage.looked_at(Channel.SHELL)
        stage.middle.rule = hold
        stage.victim.execute(marker.code("1"))
        stage.victim.execute(marker.code("2"))
        stage.settle(Channel.SHELL, before + 1)
        stage.middle.inject(*hold.held)
        stage.settle(Channel.SHELL, before + 2)
        return judged(marker.text == "21", f"ran in the order {marker.text!r}")


class SwapsReplies(Attack):
    """Swaps the replies to two requests; see the subclasses."""

    channel: ClassVar[Channel]
    kind: ClassVar[str]  # of request and reply
    said: ClassVar[Mapping[str, object]] = {}

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        held: list[Passing] = []
        losses = Losses(stage, self.channel)

        def swap(passing: Passing) -> list[Passing]:
            held.append(passing)
            return held[::-1] if len(held) > 1 else []

        stage.middle.rule = on(f"{self.kind}_reply", swap, times=2)
        victim = stage.victim
        asked = [victim.say(self.channel, f"{self.kind}_request", dict(self.said)) for _ in "12"]
        number = asked.index(victim.next_reply(self.channel, asked)) + 1
        if number == 1:
            return judged(False, "the victim was given the first reply first")
        return losses.evidence(1, "the victim was given the second reply first")


class SwapReplies(SwapsReplies):
    """Swap the replies to two requests of the victim's."""

    steps = (
        "the victim sends two cells; hold back the reply to the first",
        "deliver the reply to the second, then that to the first",
    )
    wire = ("kernel -> victim   second execute_reply, first execute_reply",)
    expected = (
        ("NKOBG", THROUGH, why.NO_ORDER),
        ("C", NOTICED, "after the second counter the first is refused; the ledger shows the gap"),
    )
    channel, kind = Channel.SHELL, "execute"
    said = {"code": "None", "silent": False, "allow_stdin": False}  # noqa: RUF012 - as declared


class SwapControlReplies(SwapsReplies):
    """Swap the replies to two requests of the victim's on control."""

    steps = (
        "the victim asks twice for the kernel's ledger; hold back the first reply",
        "deliver the second reply, then the first",
    )
    wire = ("kernel -> victim   second auth_status_reply, first auth_status_reply",)
    expected = (
        ("NKOBG", THROUGH, why.NO_ORDER),
        ("C", NOTICED, "after the second counter the first is refused; the ledger shows the gap"),
    )
    channel, kind = Channel.CONTROL, "auth_status"


class DropARequest(Attack):
    """Drop a message to the kernel, unnoticed."""

    steps = (
        "drop a comm message of the victim's, which gets no reply",
        "the victim runs a cell, and looks whether anything is missing",
    )
    wire = ("victim -> nobody   <IDS|MSG> signature {comm_msg} ...",)
    expected = (
        ("NKOBG", THROUGH, why.NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        losses, drop = Losses(stage, Channel.SHELL), Hold("comm_msg")
        stage.middle.rule = drop
        stage.victim.say(Channel.SHELL, "comm_msg", {"comm_id": "c", "data": {}})
        stage.victim.run("None")
        return _missing(losses, drop, "a message to the kernel is lost")


class DropAControlRequest(Attack):
    """Drop a request on control, unnoticed."""

    steps = (
        "drop an interrupt_request of the victim's, who waits for no reply",
        "the victim goes on, and looks whether anything is missing",
    )
    wire = ("victim -> nobody   <IDS|MSG> signature {interrupt_request} ...",)
    expected = (
        ("NKOBG", THROUGH, why.NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        losses, drop = Losses(stage, Channel.CONTROL), Hold("interrupt_request")
        stage.middle.rule = drop
        stage.victim.say(Channel.CONTROL, "interrupt_request", {})
        stage.victim.run("None")
        return _missing(losses, drop, "a request on control is lost")


class DropOutput(Attack):
    """Drop what the kernel publishes, unnoticed."""

    steps = (
        "drop what the victim's cell prints",
        "the victim looks whether anything is missing",
    )
    wire = ("kernel -> nobody   topic <IDS|MSG> signature {stream} ...",)
    expected = (
        ("NKOB", THROUGH, why.NO_ORDER),
        ("GC", NOTICED, "the next number on iopub shows the gap in the client's ledger"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        losses, drop = Losses(stage, Channel.IOPUB), Hold("stream")
        stage.middle.rule = drop
        shown = stage.victim.run("print('lost')").stdout
        if shown:
            return judged(False, f"shown: {shown.strip()!r}")
        return _missing(losses, drop, "output is lost")


class DropsOnStdin(Attack):
    """Drops what passes on stdin; see the subclasses."""

    kind: ClassVar[str]
    dropped: ClassVar[str]

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        losses, drop = Losses(stage, Channel.STDIN), Hold(self.kind, times=1)
        stage.middle.rule = drop
        cell = stage.victim.start("input('one? ')", on_input=_yes)
        stage.wait_until(lambda: bool(drop.held) or cell.done(), PATIENCE)
        if drop.held:
            stage.warden.do(lambda client: client.interrupt())
        cell.result()
        stage.victim.run("input('two? ')", on_input=_yes)
        return _missing(losses, drop, self.dropped)


def _yes(_prompt: str, _password: object) -> str:
    return "yes"


class DropAnAnswer(DropsOnStdin):
    """Drop an answer to input(), unnoticed."""

    steps = (
        "drop the victim's answer to a question; its cell waits, until somebody interrupts it",
        "the victim answers another question, and looks whether anything is missing",
    )
    wire = ("victim -> nobody   <IDS|MSG> signature {input_reply} ...",)
    expected = (
        ("NKOBG", THROUGH, "the cell waits on, as for one who does not answer; " + why.NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells"),
    )
    kind, dropped = "input_reply", "an answer is lost"


class DropAQuestion(DropsOnStdin):
    """Drop a question of the kernel's, unnoticed."""

    steps = (
        "drop the kernel's question; the cell waits, until somebody interrupts it",
        "the victim answers another question, and looks whether anything is missing",
    )
    wire = ("kernel -> nobody   <IDS|MSG> signature {input_request} ...",)
    expected = (
        ("NKOBG", THROUGH, "the cell looks as if it worked on; " + why.NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap in the client's ledger"),
    )
    kind, dropped = "input_request", "a question is lost"


def _missing(losses: Losses, dropped: Hold, what: str) -> Evidence:
    if not dropped.held:
        return judged(False, "could not be told from all else that passes")
    return losses.evidence(len(dropped.held), what)


class HoldUntilGivenUp(Attack):
    """Hold a request until its sender gave it up, then deliver it."""

    steps = (
        "hold back a request; the victim gives it up, and does something else",
        "deliver the request in the victim's connection",
    )
    wire = ("victim -> kernel   second request; much later the first",)
    expected = (
        ("NKOBG", THROUGH, "a signature does not age, unless the kernel has --max-age"),
        ("C", STOPPED, "what was sent after it has a higher counter"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, hold = stage.marker(), Hold("execute_request", times=1)
        stage.middle.rule = hold
        if not stage.victim.gives_up(marker.code(), DELAY):
            return judged(False, f"could not be held back: {marker}")
        stage.victim.run("None")
        before = stage.looked_at(Channel.SHELL)
        stage.middle.inject(*hold.held)
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


class DelayEverything(Attack):
    """Delay everything: what the victim says is acted on later than it was said."""

    steps = (
        "hold back the victim's request for a while, with all that would come after it",
        "deliver it",
    )
    wire = ("victim -> kernel   the request, later",)
    expected = (
        (
            "NKOBGCV",
            THROUGH,
            "nobody can tell a slow network from a slow attacker, but by clocks (--max-age)",
        ),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, hold = stage.marker(), HoldChannel(Channel.SHELL)
        before = stage.looked_at(Channel.SHELL)
        stage.middle.rule = hold
        cell = stage.victim.start(marker.code())
        on_time = stage.wait_until(lambda: bool(marker.text), DELAY)
        stage.middle.rule = None
        stage.middle.inject(*hold.held)
        stage.settle(Channel.SHELL, before + 1)
        cell.result()
        late = bool(marker.text) and not on_time
        return judged(late, f"{marker}, {'late' if late else 'on time'}")


class DeliverOnControl(Attack):
    """Deliver a request of shell on control, past all that waits on shell."""

    steps = (
        "the victim sends connect_requests on shell: requests that belong only there",
        "deliver the frames of the last on control, in the victim's connection",
    )
    wire = ("victim -> kernel, on control   <IDS|MSG> signature {connect_request} ...",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.TRUSTED),
        ("B", THROUGH, "a signature says nothing about the channel"),
        (
            "G",
            STOPPED,
            "the channel table; kernel_info and shutdown may come on both, as in Jupyter",
        ),
        ("C", STOPPED, "keys are bound to the channel"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.victim.do(lambda client: client.auth_status())
        route = stage.request(kind="auth_status_request").client
        for _ in range(AHEAD):
            stage.victim.say(Channel.SHELL, "connect_request", {})
        stage.victim.run("None")
        stage.middle.rule, start = Hold("connect_request"), len(stage.middle.tape)
        stage.victim.say(Channel.SHELL, "connect_request", {})
        held = stage.request(start, "connect_request")
        before, start = stage.looked_at(Channel.CONTROL), len(stage.middle.tape)
        stage.middle.inject(held._replace(channel=Channel.CONTROL, client=route))
        stage.settle(Channel.CONTROL, before + 1)
        done = stage.wait_until(lambda: any(map(_is_done, stage.middle.tape[start:])))
        return judged(done, "done on control" if done else "not done on control")


def _is_done(passing: Passing) -> bool:
    return (
        passing.channel is Channel.CONTROL
        and passing.to is Role.CLIENT
        and msg_type(passing) == "connect_reply"
        and b"shell_port" in passing.frames[-1]
    )
