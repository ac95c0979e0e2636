"""Attacks on the heartbeat: what the victim is led to believe of its kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.frames import HEADER, MAGIC, NOBODY, START, Type, header
from minikernel.lab import reasons as why
from minikernel.lab.attackers import COUNTER, PING
from minikernel.lab.attacks.losses import Losses
from minikernel.lab.evidence import Attack, Evidence, Outcome, judged
from minikernel.lab.reasons import NOTICED, STOPPED, THROUGH
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minikernel.client.channels import HeartbeatChannel
    from minikernel.lab.network.passing import Passing
    from minikernel.lab.stage import Stage

PERIOD = 0.1  # seconds between two heartbeats of a victim that is in a hurry
ENOUGH = 8  # heartbeats that must fail, for it to count as stopped
PATIENCE = 8.0  # seconds in which they must have been sent
PONG = header(Type.PONG, Channel.HEARTBEAT, NOBODY, 0)[:START]  # what an answer begins with
PLAIN = b"ping "  # then the number, in decimal
READABLE = re.compile(PLAIN + rb"(\d+)|" + re.escape(PING) + rb".{8}(.{8})", re.DOTALL)


class ReadHeartbeats(Attack):
    """Read heartbeats: whether a client is there, and how often it has asked."""

    steps = ("sit between victim and kernel, and read the numbers of the victim's heartbeats",)
    wire = ("victim -> kernel   '' ping 7", "kernel -> victim   '' ping 7")
    expected = (("NKOBGC", THROUGH, why.CLEARTEXT),)

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        start = len(stage.middle.tape)
        channel = _beating(stage)
        beats = channel.beats
        passed = _heartbeats(stage.middle.tape[start:], Role.KERNEL)
        numbers = set().union(*(_numbers(p.frames[-1]) for p in passed))
        return judged(
            len(numbers) >= beats,
            f"numbers read: {sorted(numbers)}; the victim counted {beats} beats",
        )


class FakeHeartbeat(Attack):
    """Fake the heartbeat of a kernel that has ended."""

    steps = (
        "end the kernel",
        "return each of the victim's heartbeats as it came, and with the type that answers have",
    )
    wire = ("victim -> middle   '' ping", "middle -> victim   '' ping")
    expected = (
        ("NKOBG", THROUGH, "the heartbeat is an echo, and an echo needs no key"),
        ("C", STOPPED, "PONG has a tag, and answers a PING that is outstanding"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = _answer
        stage.kill()
        start, channel = len(stage.middle.tape), stage.victim.hurry(PERIOD)
        counted = _counted(stage, channel)
        sent = len(_heartbeats(stage.middle.tape[start:], Role.KERNEL))
        return judged(
            counted > 1, f"the victim counted {counted} beats of a dead kernel, {sent} were faked"
        )


class ChangeAHeartbeat(Attack):
    """Change heartbeats on their way, and change the answers back."""

    steps = (
        "change a bit of each of the victim's heartbeats on its way to the kernel",
        "change what the kernel returns back into what the victim has sent",
    )
    wire = ("victim -> kernel   '' ping'", "kernel -> victim   '' ping", "(the kernel said ping')")
    expected = (
        ("NKOBG", THROUGH, "the kernel returns whatever comes; who changed it can change it back"),
        ("C", STOPPED, "the kernel does not answer a PING whose tag is wrong"),
        ("V", STOPPED, "the middle holds no CURVE key: what it changes is no longer a message"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        sent: dict[bytes, bytes] = {}

        def change(passing: Passing) -> Iterable[Passing]:
            if passing.channel is not Channel.HEARTBEAT:
                return (passing,)
            frame = passing.frames[-1]
            if passing.to is Role.CLIENT:
                return (_with_last(passing, sent.get(frame, frame)),)
            changed = frame[:-1] + bytes([frame[-1] ^ 1])
            sent[changed] = frame
            return (_with_last(passing, changed),)

        channel = _beating(stage)
        stage.middle.rule = change
        counted = _counted(stage, channel)
        return judged(
            counted > 1, f"the victim counted {counted} beats, while the kernel got none as sent"
        )


class ReplayAHeartbeat(Attack):
    """Replay an old answer of the kernel's to a heartbeat, in the place of new ones."""

    steps = (
        "record the kernel's answer to a heartbeat of the victim's, then let nothing through",
        "answer each heartbeat with the old answer, as it was and with the new number",
    )
    wire = ("victim -> middle   '' ping 8", "middle -> victim   '' ping 7, renumbered to 8")
    expected = (
        ("NKOBG", THROUGH, "our client looks for the number in the echo, which nothing covers"),
        ("C", STOPPED, "a PONG answers one PING, by a counter that its tag covers"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        channel = _beating(stage)
        old = stage.heard(_is_answer).frames[-1]

        def replay(passing: Passing) -> Iterable[Passing]:
            if passing.channel is not Channel.HEARTBEAT:
                return (passing,)
            if passing.to is Role.CLIENT:
                return ()
            back = passing._replace(to=Role.CLIENT)
            return [_with_last(back, _renumbered(old, passing.frames[-1])), _with_last(back, old)]

        stage.middle.rule = replay
        counted = _counted(stage, channel)
        return judged(counted > 1, f"the victim counted {counted} beats; all answers were old")


class DropHeartbeats(Attack):
    """Drop heartbeats, unnoticed."""

    steps = (
        "keep some heartbeats of the victim's from the kernel, and return them as they came",
        "let the next ones through; victim and kernel look whether anything is missing",
    )
    wire = ("victim -> middle   '' ping", "middle -> victim   '' ping")
    expected = (
        ("NKOBG", THROUGH, "the kernel counts no heartbeats, and an echo looks like its answer"),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells; no PONG came"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        losses, channel = Losses(stage, Channel.HEARTBEAT), _beating(stage)
        stage.heard(_is_answer)
        stage.middle.rule = _answer
        counted = _counted(stage, channel)
        stage.middle.rule, before = None, channel.beats
        stage.wait_until(lambda: channel.beats > before + 1, PATIENCE)
        told = losses.told()
        return Evidence(
            Outcome.NOTICED if told > 0 or counted == 0 else Outcome.THROUGH,
            f"of those dropped the victim counted {counted} beats; {told} are told to be missing",
        )


def _beating(stage: Stage) -> HeartbeatChannel:
    """The victim's heartbeat, in a hurry, and answered at least once."""
    channel = stage.victim.hurry(PERIOD)
    if not stage.wait_until(lambda: channel.beats > 0, PATIENCE):
        raise TimeoutError("an honest heartbeat is not answered")
    return channel


def _counted(stage: Stage, channel: HeartbeatChannel) -> int:
    """How many beats the victim counts in a while, not those that were under way."""
    first = channel.pings + 2
    stage.wait_until(lambda: channel.pings >= first, PATIENCE)
    before, last = channel.beats, channel.pings + ENOUGH
    stage.wait_until(lambda: channel.beats > before + 1 or channel.pings >= last, PATIENCE)
    return channel.beats - before


def _heartbeats(passed: Iterable[Passing], to: Role) -> list[Passing]:
    return [p for p in passed if p.channel is Channel.HEARTBEAT and p.to is to]


def _is_answer(passing: Passing) -> bool:
    return passing.channel is Channel.HEARTBEAT and passing.to is Role.CLIENT


def _answer(passing: Passing) -> tuple[Passing, ...]:
    """Answer a heartbeat in the kernel's place, without a key."""
    if passing.channel is not Channel.HEARTBEAT or passing.to is not Role.KERNEL:
        return (passing,)
    echo, frame = passing._replace(to=Role.CLIENT), passing.frames[-1]
    if not frame.startswith(PING):
        return (echo,)
    return (_with_last(echo, PONG + frame[START:]), echo)


def _with_last(passing: Passing, frame: bytes) -> Passing:
    return passing._replace(frames=[*passing.frames[:-1], frame])


def _numbers(piece: bytes) -> set[int]:
    """The numbers of the heartbeats that have passed, as far as they can be read."""
    found = READABLE.finditer(piece)
    return {int(m[1]) if m[1] else int.from_bytes(m[2], "big") for m in found}


def _renumbered(old: bytes, new: bytes) -> bytes:
    """An old answer, with the number of the heartbeat that it should answer."""
    if old.startswith(MAGIC):
        return old[: COUNTER.start] + new[COUNTER] + old[HEADER:]
    return old[: len(PLAIN)] + new[len(PLAIN) :]
