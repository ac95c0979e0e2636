"""What a man in the middle does to one kind of message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.attackers import msg_type
from minikernel.wire.channels import Channel, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minikernel.lab.network.passing import Passing

    Change = Callable[[Passing], Iterable[Passing]]


def on(kind: str, change: Change, *, times: int = 0) -> Change:
    """Changes messages of this type, 0: all of them; the others pass as they are."""
    done: list[Passing] = []

    def rule(passing: Passing) -> Iterable[Passing]:
        if msg_type(passing) != kind or (times and len(done) >= times):
            return (passing,)
        done.append(passing)
        return change(passing)

    return rule


class Hold:
    """Holds messages of this type back, the first ones or all."""

    def __init__(self, kind: str, times: int = 0) -> None:
        self.held: list[Passing] = []
        self._kind = kind
        self._times = times

    def __call__(self, passing: Passing) -> Iterable[Passing]:
        """Apply the rule."""
        if msg_type(passing) != self._kind or (self._times and len(self.held) >= self._times):
            return (passing,)
        self.held.append(passing)
        return ()


class HoldChannel:
    """Holds back everything to the kernel on one channel, readable or not."""

    def __init__(self, channel: Channel) -> None:
        self.held: list[Passing] = []
        self._channel = channel

    def __call__(self, passing: Passing) -> Iterable[Passing]:
        """Apply the rule."""
        if passing.channel is not self._channel or passing.to is not Role.KERNEL:
            return (passing,)
        self.held.append(passing)
        return ()
