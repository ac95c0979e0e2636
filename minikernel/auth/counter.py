"""Strictly increasing counters: check, verify, mark, in this order (RFC 4303, section 3.4.3)."""

from __future__ import annotations

from minikernel.errors import LocalProtocolError, ReplayedCounter

MAX = 2**64 - 1


class Counter:
    """What one sender has counted, as its receiver sees it. A skip is legal: it is a gap.

    Args:
        last: the highest counter that is too old.
        from_start: whether what is skipped before the first message is a gap too.

    Attributes:
        last: the highest counter marked.
        gaps: how many counters were skipped.
    """

    def __init__(self, last: int = 0, *, from_start: bool = True) -> None:
        self.last = last
        self.gaps = 0
        self._counting = from_start

    def check(self, n: int) -> None:
        """Whether a message with this counter may be new; changes nothing.

        Raises:
            ReplayedCounter: it is not.
        """
        if n <= self.last:
            raise ReplayedCounter("the counter does not increase")

    def mark(self, n: int) -> int:
        """A message with this counter has verified; how many were skipped before it.

        Raises:
            LocalProtocolError: it was not checked.
        """
        if n <= self.last:
            raise LocalProtocolError("marked without a check")
        skipped = n - self.last - 1 if self._counting else 0
        self.last = n
        self.gaps += skipped
        self._counting = True
        return skipped


class Numbering:
    """The counters of what we send; `last` is the one drawn last, `last` at first."""

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def draw(self) -> int:
        """The next counter, spent whatever becomes of its message.

        Raises:
            LocalProtocolError: there is none left: never a counter twice.
        """
        if self.last >= MAX:
            raise LocalProtocolError("the counter is used up")
        self.last += 1
        return self.last
