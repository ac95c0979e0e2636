"""What has come for a client and was not yet looked at.

libzmq keeps so many messages, and then the kernel drops what it publishes. So a client that falls
behind takes them off the socket first and looks at them later; while it is in a callback of the
user's, a thread does that.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING

from minikernel.transport import sockets
from minikernel.transport.loops import start_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    import zmq

WAITING = 256 << 20  # bytes that may wait; what comes then the kernel drops, and that is counted
OVERHEAD = 1000  # bytes that a message takes besides its own
OFTEN = 32  # messages after which the socket is emptied
AT_ONCE = 5000  # messages that are taken off it in a row
TURN = 0.02  # seconds between two looks of the thread
QUIET = 1.0  # seconds without a callback after which it sleeps


class Inbox:
    """The messages of a socket, as frames; used by one thread, and `aside` by another.

    Args:
        socket: to receive from.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._receive = sockets.Inbox(socket).whole
        self._waiting: deque[list[bytes]] = deque()
        self._bytes = 0
        self._taken = 0
        self._lock = threading.Lock()  # whose the socket is
        self._is_aside = False
        self._wanted, self._pause = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._waiting)

    def next(self) -> list[bytes] | None:
        """The next message; None if there is none yet."""
        self.come_back()
        self._taken += 1
        if self._taken % OFTEN == 0:
            self._gather()
        if not self._waiting:
            return self._receive()
        frames = self._waiting.popleft()
        self._bytes -= _size(frames)
        return frames

    def _gather(self) -> None:
        for _ in range(AT_ONCE):
            if self._bytes > WAITING or (frames := self._receive()) is None:
                return
            self._waiting.append(frames)
            self._bytes += _size(frames)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Meanwhile a thread receives."""
        if self._thread is None:
            self._thread = start_thread("minikernel iopub", self._run)
        self._is_aside = True
        self._wanted.set()
        try:
            yield
        finally:
            self.come_back()

    def come_back(self) -> None:
        """The socket is the caller's again."""
        if self._is_aside:
            with self._lock:
                self._is_aside = False

    def _run(self) -> None:
        quiet = 0.0
        while not self._has_ended:
            self._wanted.wait()
            self._pause.wait(TURN)
            with self._lock:
                quiet = 0.0 if self._is_aside else quiet + TURN
                if self._is_aside and not self._has_ended:
                    self._gather()
                if quiet > QUIET and not self._has_ended:
                    self._wanted.clear()
                    quiet = 0.0

    def close(self) -> None:
        """End the thread; the socket is not touched any more."""
        self.come_back()
        self._has_ended = True
        self._pause.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()


def _size(frames: list[bytes]) -> int:
    return sum(map(len, frames)) + OVERHEAD
