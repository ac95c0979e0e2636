"""What a forked child of the kernel forgets: it is no kernel.

It has no keys, publishes nothing, lets go of files, and writes into the pipes of its parent.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Protocol

from minikernel.kernel import signals

if TYPE_CHECKING:
    from minikernel.kernel.streams import Streams


class Forgets(Protocol):
    """A part of the kernel that has something which a child must not have."""

    def forget(self) -> None:
        """In the child after a fork: let go of it."""


_happened: list[bool] = []


def happened() -> bool:
    """Whether this is a child."""
    return bool(_happened)


def forget_in_children(streams: Streams, *others: Forgets) -> None:
    """Have each child forget what only a kernel may have.

    A signal to it waits until it has: its C handler would tell the parent's control thread, through
    the pipe that both have.

    Args:
        streams: what is pending there is published by the parent.
        others: that have keys or files.
    """
    os.register_at_fork(before=signals.hold, after_in_parent=signals.release)
    os.register_at_fork(before=streams.flush_before_fork)  # before that: the last comes first
    os.register_at_fork(after_in_child=partial(_happened.append, True))
    for other in (*others, streams):
        os.register_at_fork(after_in_child=other.forget)
    os.register_at_fork(after_in_child=signals.forget)  # the last: signals may come again
