"""Whose turn it is at a client: several threads or tasks may use it, and one of them closes it.

What waits on shell, stdin and iopub is one lane, control is another, so that a cell that runs can
be interrupted; a handshake goes on in both, so where the scheme has one they are the same. Who is
last to leave a client that was closed meanwhile closes its sockets. In a forked child nothing is
done: the sockets, and the kernel, are the parent's.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any

from minikernel.errors import ClientClosed, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from minikernel.client.waiting import Waits

CLOSING = 5.0  # seconds that `close` waits for another thread to leave; a callback may hold it
TAKEN = "another thread or task uses this client"
NESTED = "a callback of a cell can't wait for another answer: the client waits for the cell's"


class Turns:
    """Who is inside of a client.

    Args:
        waits: how the client waits.
        stop: closes the sockets.
        shut_down: ends the kernel, if the client has started it.
    """

    def __init__(
        self, waits: Waits, stop: Callable[[], None], shut_down: Callable[[], Awaitable[None]]
    ) -> None:
        self.is_closed = False
        self._process = os.getpid()
        self._waits, self._stop, self._shut_down = waits, stop, shut_down
        self._has_ended = False
        self._inside: list[object] = []  # threads or tasks; one may be inside twice
        self._guard = threading.Lock()
        self._over: Any = waits.event()
        self._lane, self._control_lane = waits.lane(), waits.lane()

    @property
    def are_ours(self) -> bool:
        """Whether this is the process that has made the client."""
        return os.getpid() == self._process

    def check_open(self) -> None:
        """Raises ClientClosed; in a forked child, LocalProtocolError."""
        if not self.are_ours:
            raise LocalProtocolError("this client belongs to the process that made it")
        if self.is_closed:
            raise ClientClosed("this client is closed")

    @contextlib.asynccontextmanager
    async def turn(
        self, deadline: float | None, *, control: bool = False, waits: bool = True
    ) -> AsyncIterator[None]:
        """Nobody else is in this lane meanwhile.

        Args:
            deadline: until when the turn must come, by the monotonic clock; None: some time.
            control: which lane.
            waits: whether for an answer; a callback of a cell may not: it would take the cell's.

        Raises:
            TimeoutError: somebody was there, until the deadline.
            ClientClosed: the client is closed.
            LocalProtocolError: in a callback, or a forked child.
        """
        lane, me = self._control_lane if control else self._lane, self._waits.me()
        self.check_open()
        if not await lane.acquire(deadline):
            raise TimeoutError(TAKEN)
        try:
            with self._guard:
                self.check_open()
                if waits and not control and me in self._inside:
                    raise LocalProtocolError(NESTED)
                self._inside.append(me)
            try:
                yield
            finally:
                with self._guard:
                    self._inside.remove(me)
                    last = self._may_end()
                if last:
                    await self._end()
        finally:
            lane.release()

    def _may_end(self) -> bool:
        """Whether the caller is the one to close the sockets."""
        last = self.is_closed and not self._inside and not self._has_ended
        self._has_ended = self._has_ended or last
        return last

    async def close(self) -> None:
        """Close, now or when who is inside notices it."""
        if not self.are_ours:
            return
        with self._guard:
            self.is_closed = True
            last = self._may_end()
            waits = not last and self._waits.me() not in self._inside
        if last:
            await self._end()
        elif waits and not await self._waits.happens(self._over, CLOSING):
            await self._shut_down()

    async def _end(self) -> None:
        try:
            self._stop()
            await self._shut_down()
        finally:
            self._over.set()
