"""Honest messages, changed on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab import reasons as why
from minikernel.lab.attackers import Copy, retold
from minikernel.lab.attacks.rules import Hold, on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import STOPPED, THROUGH
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from minikernel.lab.network.passing import Passing
    from minikernel.lab.stage import Stage

BUFFERS = (b"one", b"two")


class ChangeContent(Attack):
    """Change the code of a request."""

    steps = ("replace the code in the victim's request, and leave the rest as it is",)
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.ONCE_PATH),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, before = stage.marker(), stage.looked_at(Channel.SHELL)
        stage.middle.rule = on(
            "execute_request", lambda p: [kept(p, content={"code": marker.code()})]
        )
        stage.victim.execute("None")
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


def kept(passing: Passing, **changed: object) -> Passing:
    """A message with something changed under the same signature, counter and all."""
    return retold(passing, _Unchanged(), **changed)


class _Unchanged(Copy):
    """Leaves the signature as it was."""

    def sign(self, seen: Passing, _frames: object) -> bytes:
        """Return what was there."""
        return seen.frames[seen.frames.index(b"<IDS|MSG>") + 1]


class ChangesBuffers(Attack):
    """Does something to the buffers of a request; see the subclasses."""

    buffers: tuple[bytes, ...]
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.ONCE_PATH),
        ("B", THROUGH, why.UNSIGNED_BUFFERS),
        ("G", STOPPED, why.MARKED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """Run a cell with buffers, others than the victim sent."""
        marker, before = stage.marker(), stage.looked_at(Channel.SHELL)
        hold = stage.middle.rule = Hold("execute_request")
        stage.victim.execute(marker.code(), buffers=BUFFERS)
        if not stage.blind:
            stage.request()
        stage.middle.inject(*(kept(p, buffers=self.buffers) for p in hold.held))
        stage.settle(Channel.SHELL, before + 1)
        changed = self.buffers if hold.held else BUFFERS
        return judged(changed != BUFFERS and marker.text, f"with buffers {list(changed)}: {marker}")


class ChangeABuffer(ChangesBuffers):
    """Change a buffer of a request."""

    buffers = (b"one", b"Two")
    steps = ("the victim sends a cell with the buffers 'one' and 'two'", "change one byte of them")
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code} 'one' 'Two'",)


class AddABuffer(ChangesBuffers):
    """Add a buffer to a request."""

    buffers = (*BUFFERS, b"three")
    steps = ("the victim sends a cell with the buffers 'one' and 'two'", "add a third")
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code} 'one' 'two' 'three'",)


class DropABuffer(ChangesBuffers):
    """Drop a buffer of a request."""

    buffers = BUFFERS[:1]
    steps = ("the victim sends a cell with the buffers 'one' and 'two'", "drop the second")
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code} 'one'",)


class MoveAFrameBoundary(ChangesBuffers):
    """Move the boundary between two frames."""

    buffers = (b"onet", b"wo")
    steps = (
        "the victim sends a cell with the buffers 'one' and 'two'",
        "move the boundary between them by a byte: joined, they are the same",
    )
    wire = ("victim -> kernel   <IDS|MSG> signature header {} metadata {code} 'onet' 'wo'",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.ONCE_PATH),
        ("B", THROUGH, why.UNSIGNED_BUFFERS),
        ("G", STOPPED, "the digest of the buffers covers their lengths"),
        ("C", STOPPED, why.ALL_COVERED),
    )


class ChangeOutput(Attack):
    """Change what the kernel publishes."""

    steps = ("replace the text that the victim's cell prints, and leave the rest as it is",)
    wire = ("kernel -> victim   topic <IDS|MSG> signature header parent {} {text'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "iopub is not authenticated"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = on("stream", lambda p: [kept(p, content={"text": "changed"})])
        shown = stage.victim.run("print('honest')").stdout
        return judged("changed" in shown, f"shown: {shown.strip()!r}")


class ChangeAnAnswer(Attack):
    """Change what the victim answers to input()."""

    steps = (
        "the victim runs a cell that asks",
        "replace its answer; then let the honest one go on, too",
    )
    wire = ("victim -> kernel   <IDS|MSG> signature header parent metadata {value'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.ONCE_PATH),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = on("input_reply", lambda p: [kept(p, content={"value": "changed"}), p])
        shown = stage.victim.run("print(input())", on_input=lambda *_: "honest").stdout
        return judged("changed" in shown, f"the cell was told: {shown.strip()!r}")
