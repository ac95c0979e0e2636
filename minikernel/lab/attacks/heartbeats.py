"""Attacks on the heartbeat: what the victim is led to believe of its kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac_frames import HEADER, MAGIC
from minikernel.client.ledger import HEARTBEAT
from minikernel.lab.attackers import COUNTER
from minikernel.lab.evidence import Attack, Evidence, Outcome, judged
from minikernel.lab.stage import PING
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minikernel.client.blocking import MiniKernelClient
    from minikernel.client.channels import HeartbeatChannel
    from minikernel.lab.stage import Stage
    from minikernel.transport.passing import Passing

PERIOD = 0.1  # seconds between two heartbeats of a victim that is in a hurry
ENOUGH = 8  # heartbeats that must fail, for it to count as stopped
PATIENCE = 8.0  # seconds in which they must have been sent
PLAIN = b"ping "  # then the number, in decimal
READABLE = re.compile(PLAIN + rb"(\d+)|" + re.escape(PING) + rb".{8}(.{8})", re.DOTALL)


class ReadHeartbeats(Attack):
    """Read heartbeats: whether a client is there, and how often it has asked."""

    steps = ("stand between victim and kernel, and read the numbers of the victim's heartbeats",)
    wire = ("victim -> kernel   '' ping 7", "kernel -> victim   '' ping 7")

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
        "return each of the victim's heartbeats as it came",
    )
    wire = ("victim -> middle   '' ping", "middle -> victim   '' ping")

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = _echo
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

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        channel = _beating(stage)
        stage.heard(_is_answer)
        stage.middle.rule = _echo
        counted = _counted(stage, channel)
        stage.middle.rule, before = None, channel.beats
        stage.wait_until(lambda: channel.beats > before + 1, PATIENCE)
        missing = stage.victim.do(_missing)
        told = missing > 0 or counted == 0
        return Evidence(
            Outcome.NOTICED if told else Outcome.THROUGH,
            f"of those dropped the victim counted {counted} beats; the kernel misses {missing}",
        )


def _missing(client: MiniKernelClient) -> int:
    """Heartbeats that the kernel knows to be missing; of echoes it knows nothing."""
    return sum(row.gaps for row in client.auth_status() if row.channel == HEARTBEAT)


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


def _echo(passing: Passing) -> tuple[Passing, ...]:
    if passing.channel is Channel.HEARTBEAT and passing.to is Role.KERNEL:
        return (passing._replace(to=Role.CLIENT),)
    return (passing,)


def _with_last(passing: Passing, frame: bytes) -> Passing:
    return passing._replace(frames=[*passing.frames[:-1], frame])


def _numbers(piece: bytes) -> set[int]:
    """Of the heartbeats in what has passed, as far as it can be read."""
    found = READABLE.finditer(piece)
    return {int(m[1]) if m[1] else int.from_bytes(m[2], "big") for m in found}


def _renumbered(old: bytes, new: bytes) -> bytes:
    """An old answer with the number of the heartbeat that it is to answer."""
    if old.startswith(MAGIC):
        return old[: COUNTER.start] + new[COUNTER] + old[HEADER:]
    return old[: len(PLAIN)] + new[len(PLAIN) :]
