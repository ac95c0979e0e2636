"""Honest messages, unchanged: later, in another order, elsewhere, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.attackers import msg_type
from minikernel.lab.attacks.rules import Hold, HoldChannel
from minikernel.lab.evidence import Attack, Evidence, Outcome, judged
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from minikernel.lab.stage import Stage

DELAY = 0.3  # seconds


class SwapRequests(Attack):
    """Swap two requests of the victim's."""

    steps = (
        "the victim sends two cells; hold back the first",
        "once the kernel has the second, let the first go on",
    )
    wire = ("victim -> kernel   second request, first request",)

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


class DropARequest(Attack):
    """Drop a message to the kernel, unnoticed."""

    steps = (
        "drop a comm message of the victim's, which gets no reply",
        "the victim runs a cell, and looks whether anything is missing",
    )
    wire = ("victim -> nobody   <IDS|MSG> signature {comm_msg} ...",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        drop = stage.middle.rule = Hold("comm_msg")
        stage.victim.say(Channel.SHELL, "comm_msg", {"comm_id": "c", "data": {}})
        stage.victim.run("None")
        return _missing(stage, Channel.SHELL, drop, "a message to the kernel is lost")


class DropAControlRequest(Attack):
    """Drop a request on control, unnoticed."""

    steps = (
        "drop an interrupt_request of the victim's, who waits for no reply",
        "the victim goes on, and looks whether anything is missing",
    )
    wire = ("victim -> nobody   <IDS|MSG> signature {interrupt_request} ...",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        drop = stage.middle.rule = Hold("interrupt_request")
        stage.victim.say(Channel.CONTROL, "interrupt_request", {})
        stage.victim.run("None")
        return _missing(stage, Channel.CONTROL, drop, "a request on control is lost")


class DropOutput(Attack):
    """Drop what the kernel publishes, unnoticed."""

    steps = (
        "drop what the victim's cell prints",
        "the victim looks whether anything is missing",
    )
    wire = ("kernel -> nobody   topic <IDS|MSG> signature {stream} ...",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        drop = stage.middle.rule = Hold("stream")
        shown = stage.victim.run("print('lost')").stdout
        if shown:
            return judged(False, f"shown: {shown.strip()!r}")
        return _missing(stage, Channel.IOPUB, drop, "output is lost")


def _missing(stage: Stage, channel: Channel, dropped: Hold, what: str) -> Evidence:
    if not dropped.held:
        return judged(False, "could not be told from all else that passes")
    gaps = stage.victim.gaps(channel)
    if gaps:
        return Evidence(Outcome.NOTICED, f"{what}; the victim is told of {gaps} missing")
    return Evidence(Outcome.THROUGH, f"{what}; the victim is told of none missing")


class HoldUntilGivenUp(Attack):
    """Hold a request until its sender gave it up, then deliver it."""

    steps = (
        "hold back a request; the victim gives it up, and does something else",
        "deliver the request in the victim's connection",
    )
    wire = ("victim -> kernel   second request; much later the first",)

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
        "the victim sends a connect_request on shell: a request that belongs only there",
        "deliver its frames on control, in the victim's connection",
    )
    wire = ("victim -> kernel, on control   <IDS|MSG> signature {connect_request} ...",)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        hold = Hold("connect_request")
        stage.middle.rule = hold
        stage.victim.do(lambda client: client.auth_status())
        route = stage.request(kind="auth_status_request").client
        stage.victim.say(Channel.SHELL, "connect_request", {})
        held = stage.request(kind="connect_request")
        before, start = stage.looked_at(Channel.CONTROL), len(stage.middle.tape)
        stage.middle.inject(held._replace(channel=Channel.CONTROL, client=route))
        stage.settle(Channel.CONTROL, before + 1)
        stage.victim.do(lambda client: client.auth_status())  # replies come in order
        done = [
            p
            for p in stage.middle.tape[start:]
            if p.channel is Channel.CONTROL
            and p.to is Role.CLIENT
            and msg_type(p) == "connect_reply"
            and b"shell_port" in p.frames[-1]
        ]
        return judged(done, "done on control" if done else "not done on control")
