"""Attacks after which nothing forged runs, but the owner waits, is kept out, or is misled."""

from __future__ import annotations

import json
import os
import time
import uuid
from concurrent.futures import wait
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.rights import Right
from minikernel.errors import MinikernelError
from minikernel.lab import reasons as why
from minikernel.lab.attackers import Copy, retold
from minikernel.lab.attacks.forging import waits_for
from minikernel.lab.attacks.rules import Hold
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.people import PATIENCE
from minikernel.lab.reasons import ABSENT, STOPPED, THROUGH
from minikernel.lab.stage import NARROW
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from minikernel.lab.columns import Column
    from minikernel.lab.stage import Stage

SOON = 0.5  # seconds in which the kernel says what it says at once
JUNK, EVERY, MANY = 5.0, 0.003, 200  # seconds of it, seconds between two, and how many at first
HUGE = 1 << 20  # bytes
ENDING = 2.0  # seconds in which a kernel ends that was told to
UNSIGNED = [DELIMITER, b"", b"{}", b"{}", b"{}", b"{}"]


class CutOffMultipart(Attack):
    """Cut off a multipart message: whoever reads it at the kernel is to read nothing more."""

    steps = (
        "send the iopub port a message of two frames, of which libzmq takes the last one out",
        "the victim runs a cell that asks, and answers; then it interrupts one that waits",
    )
    wire = ("stranger -> kernel, on iopub   'x' \\x00",)
    expected = (
        ("NKOBGC", STOPPED, "what libzmq cuts off is refused; the thread that read it reads on"),
        ("V", STOPPED, why.CURVE),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stranger = stage.loose(Channel.IOPUB)
        stranger.receive(SOON)  # its greeting, where strangers get one
        stranger.send([b"x", b"\0"])
        stranger.receive(SOON)  # until it has come; what followed would be read as its end
        go, begun = stage.marker(), stage.marker()
        try:
            stage.person()  # a newcomer, whom the same thread greets
            shown = stage.victim.run("print(input())", on_input=lambda *_: "honest").stdout
            cell = stage.victim.start(f"{begun.code()}\n{waits_for(go.path)}")
            stage.wait_until(lambda: bool(begun.text), PATIENCE)
            stage.warden.do(lambda client: client.interrupt())
            status = cell.result().status
        except (TimeoutError, MinikernelError) as problem:
            return judged(True, f"the kernel does not answer: {problem}")
        seen = f"input() gave {shown.strip()!r}; a cell was interrupted: {status}"
        return judged((shown.strip(), status) != ("honest", "error"), seen)


class JunkWhileAReplyIsDue(Attack):
    """Send junk while the reply to a failed cell is due: it waits until the junk ends."""

    steps = (
        "the victim runs a cell that fails; meanwhile 200 messages of junk queue up behind it",
        "go on with one each 3 ms, for five seconds or until the victim has its reply",
    )
    wire = ("stranger -> kernel   <IDS|MSG> '' {} {} {} {}   (again and again)",)
    expected = (
        (
            "NKOBGC",
            STOPPED,
            "what is queued behind a failed cell is read for half a second at most",
        ),
        ("V", STOPPED, why.CURVE),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        go, begun, stranger = stage.marker(), stage.marker(), stage.loose(Channel.SHELL)
        cell = stage.victim.start(f"{begun.code()}\n{waits_for(go.path)}\n1 / 0")
        stage.wait_until(lambda: bool(begun.text), PATIENCE)
        stranger.send(*[UNSIGNED] * MANY)
        go.path.touch()
        end = time.monotonic() + JUNK
        while not cell.done() and time.monotonic() < end:
            stranger.send(UNSIGNED)
            wait([cell], EVERY)
        waited = not cell.done()
        status = cell.result().status
        when = "when the junk had ended" if waited else "while junk was coming"
        return judged(waited, f"the victim was told of its {status} {when}")


class SendAHugeHeader(Attack):
    """Send a huge header: the kernel names it to all clients, in what it publishes."""

    steps = (
        "where there are rights, invite a client that may only observe",
        "it asks something harmless, with a header of 1 MiB; see what the victim is sent",
    )
    wire = ("onlooker -> kernel   <IDS|MSG> own signature {header of 1 MiB} {} {} {}",)
    expected = (
        ("NKOBG", STOPPED, "a header of more than 1 MiB is refused before it is looked at"),
        ("CV", STOPPED, "a header of more than 64 KiB is refused before it is looked at"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        other = stage.other_holder(NARROW, Right.OBSERVE)
        with stage.victim.traced() as came:
            before = stage.looked_at(Channel.SHELL)
            other.say(Channel.SHELL, "kernel_info_request", {}, padding="x" * HUGE)
            stage.settle(Channel.SHELL, before + 1)
            stage.victim.run("None")
        largest = max(event.size for event in came if event.channel == Channel.IOPUB.value)
        return judged(largest > HUGE, f"the victim was sent messages of up to {largest} bytes")


class EndTheOwnersRequestEarly(Attack):
    """End the owner's request early: have the kernel say that it is idle while the cell runs."""

    steps = (
        "where there are rights, invite a client that may only observe",
        "the victim runs a cell; on iopub its msg_id and session can be read",
        "ask something harmless with both in the header, and once with a header that is wrong",
        "the cell goes on, and prints",
    )
    wire = ("onlooker -> kernel, on control   <IDS|MSG> own signature {msg_id of the victim} ...",)
    expected = (
        ("KBG", THROUGH, why.SHARED),
        ("O", THROUGH, "a trusted identity may write any name into its header"),
        ("CV", STOPPED, "what is said in another's name is answered without busy and idle"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        other = stage.other_holder(NARROW, Right.OBSERVE)
        go, said = stage.marker(), list[dict[str, Any]]()
        code = f"print('begun', flush=True)\n{waits_for(go.path)}\nprint('ended')"
        cell = stage.victim.start(code, on_output=said.append)
        stage.wait_until(lambda: any(m["msg_type"] == "stream" for m in said), PATIENCE)
        before = stage.looked_at(Channel.CONTROL)
        running = {name: said[0]["parent_header"][name] for name in ("msg_id", "session")}
        for version in ("5.4", 5):
            header = {**running, "version": version}
            other.say(Channel.CONTROL, "kernel_info_request", {}, **header)
        stage.settle_control(before + 2)
        early = stage.wait_until(lambda: any(map(_is_idle, said)), SOON)
        go.path.touch()
        result = cell.result()
        when = "while its cell was running" if early else "when its cell had ended"
        seen = f"the victim heard of the end {when}, and was shown {result.stdout.split()}"
        return judged(early or "ended" not in result.stdout, seen)


def _is_idle(msg: dict[str, Any]) -> bool:
    return bool(msg["content"].get("execution_state") == "idle")


class TakeTheOwnersSessionName(Attack):
    """Take the owner's session name after a restart: its own client is kept out."""

    steps = (
        "invite a client that may only observe; on iopub it reads the owner's session",
        "the kernel is killed and started again; the onlooker comes first, under that name",
        "the owner comes back, and runs a cell",
    )
    wire = ("onlooker -> kernel   <IDS|MSG> own tag {bind_request, session of the owner} ...",)
    expected = (
        ("NKOBG", ABSENT, "a name belongs to nobody: all clients are one to the kernel"),
        ("CV", STOPPED, "a client takes a new name in each run of the kernel"),
    )

    def applies(self, column: Column) -> bool:
        """Whether clients can be told apart, so that a name belongs to one."""
        return column.traits.invitations

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        owner = stage.person()
        stage.kill()
        stage.start()
        answer = _bind_under(stage, owner.session)
        try:
            owner.run("None", timeout=PATIENCE)
        except (TimeoutError, MinikernelError) as problem:
            return judged(True, f"the onlooker got {answer}; the owner was kept out: {problem}")
        return judged(False, f"the onlooker got {answer}, and the owner came in")


def _bind_under(stage: Stage, name: str) -> str:
    """Shake hands with a right to observe, and say that one's session is that; the answer."""
    end = ClientEnd(Master(stage.key).invite(NARROW, Right.OBSERVE), entropy=os.urandom)
    socket = stage.loose(Channel.CONTROL, listed=True)
    socket.send([DELIMITER, end.hello()])
    challenge = socket.receive(PATIENCE)
    if challenge is None:
        raise TimeoutError("an honest handshake is not answered")
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "bind_request", "session": name}
    frames = [json.dumps(part).encode() for part in (header, {}, {}, {})]
    socket.send([DELIMITER, end.challenge(challenge[-1]).seal(Channel.CONTROL, frames), *frames])
    reply = socket.receive(PATIENCE)
    return "no answer" if reply is None else f"{json.loads(reply[-1])['status']!r}"


class ShutdownMeantForADeadRun(Attack):
    """Deliver a shutdown_request that was meant for a kernel that is dead to the next one."""

    steps = (
        "hold back a shutdown_request of the victim's",
        "the kernel is killed and started again on the same file; the victim connects again",
        "deliver the request in its connection: as it was, and with the date of now",
    )
    wire = ("middle -> kernel   <IDS|MSG> the held {shutdown_request} ...",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.TRUSTED),
        ("BG", STOPPED, "the signed date is from before this kernel's start"),
        ("C", STOPPED, "a new run has a new run id and no sessions"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = Hold("shutdown_request")
        stage.victim.say(Channel.CONTROL, "shutdown_request", {"restart": False})
        held = stage.request(kind="shutdown_request")
        stage.middle.rule, start = None, len(stage.middle.tape)
        stage.restart()
        stage.victim.do(lambda client: client.auth_status())
        late = held._replace(client=stage.request(start, "auth_status_request").client)
        today = datetime.now(timezone.utc).isoformat()
        stage.middle.inject(late, retold(late, Copy(), header={"date": today}))
        ended = stage.wait_until(lambda: stage.kernel.poll() is not None, ENDING)
        return judged(ended, "the new kernel has ended" if ended else "the new kernel works on")
