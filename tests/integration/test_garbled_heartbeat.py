"""What comes by an encrypted connection was changed: libzmq gives that connection up for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.columns import CURVE
from minikernel.lab.stage import Stage
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from pathlib import Path

    from minikernel.lab.network.passing import Passing

PATIENCE = 20.0  # seconds


def test_a_heart_beats_again_after_its_connection_was_garbled(tmp_path: Path) -> None:
    with Stage(CURVE, tmp_path) as stage:
        heart = stage.victim.hurry(0.05)
        assert stage.wait_until(lambda: heart.beats > 0, PATIENCE)
        stage.middle.rule = garbled
        sent = heart.pings
        assert stage.wait_until(lambda: not heart.is_beating(), PATIENCE)
        assert stage.wait_until(lambda: heart.pings > sent + 5, PATIENCE)
        stage.middle.rule = None
        beats = heart.beats
        assert stage.wait_until(lambda: heart.beats > beats, PATIENCE)


def garbled(passing: Passing) -> tuple[Passing]:
    if passing.channel is not Channel.HEARTBEAT or passing.to is not Role.CLIENT:
        return (passing,)
    (piece,) = passing.frames
    return (passing._replace(frames=[piece[:-1] + bytes([piece[-1] ^ 1])]),)
