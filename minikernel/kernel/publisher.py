"""Everything that goes out on iopub, from whichever thread."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from minikernel.transport.sockets import receive_nowait, send
from minikernel.wire.content import BUSY
from minikernel.wire.message import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.protocol.end import ChannelEnd
    from minikernel.transport.sockets import KernelSockets

_Message = tuple[
    bytes, "bytes | Mapping[str, Any]", bytes, "Mapping[str, Any] | None", "Sequence[bytes]"
]
SUBSCRIBE = b"\x01"
FIRST_SUBSCRIBER = 0.5  # seconds that a first cell waits; libzmq tries again after 0.1 to 0.2


class Publisher:
    """The kernel's end of iopub.

    Args:
        sockets: of the kernel.
        end: of iopub.
        on_deferred: called in the main thread, after a message is out, if an interrupt came
            while it was being sent.
    """

    def __init__(
        self, sockets: KernelSockets, end: ChannelEnd, on_deferred: Callable[[], None]
    ) -> None:
        self.parent = EMPTY  # header of the request that outputs belong to
        self.forked = False  # in a child: it is no kernel
        self._subscribed = threading.Event()
        self._sockets = sockets
        self._end = end
        self._on_deferred = on_deferred
        self._main = threading.get_ident()
        self._sender = 0
        self._deferred = False
        self._postponed: deque[_Message] = deque()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self.forked = True

    def publish(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        *,
        parent: bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Send a message to all subscribers; in a forked child, to nobody."""
        if self.forked:
            return
        parent = self.parent if parent is None else parent
        message = (msg_type, content, parent, metadata, buffers)
        if self.sending():
            self._postponed.append(message)
            return
        with self._sockets.iopub_lock:
            self._sender = threading.get_ident()
            try:
                self._send(*message)
                while self._postponed:
                    self._send(*self._postponed.popleft())
                if content is not BUSY:  # something follows at once
                    self._greet()  # a send may use up the signal that a subscription gave
            finally:
                self._sender = 0
        if self._deferred:
            self._resume()

    def sending(self) -> bool:
        """Whether this thread is sending: a finaliser or signal handler may come in between."""
        return self._sender == threading.get_ident()

    def _send(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        parent: bytes,
        metadata: Mapping[str, Any] | None,
        buffers: Sequence[bytes],
    ) -> None:
        frames = self._end.send(
            msg_type, content, parent=parent, metadata=metadata, buffers=buffers, to=(msg_type,)
        )
        send(self._sockets.iopub, frames)

    def defer_interrupt(self) -> bool:
        """Whether the main thread is sending: half a multipart message would garble the next."""
        self._deferred = self._sender == self._main
        return self._deferred

    def _resume(self) -> None:
        if threading.get_ident() == self._main:
            self._deferred = False
            self._on_deferred()

    def wait_for_subscriber(self) -> None:
        """Wait for the first subscriber of the kernel's life, but not for long.

        A client's four sockets try to connect until the kernel is there, each on its own.
        jupyter_console sends a cell as soon as shell answers, and hangs if it misses the idle.
        """
        if not self._subscribed.is_set():
            self._subscribed.wait(FIRST_SUBSCRIBER)
            self._subscribed.set()

    def welcome(self) -> None:
        """Greet new subscribers."""
        with self._sockets.iopub_lock:
            self._greet()

    def _greet(self) -> None:
        """Greet new subscribers, each with the topic it subscribed to (JEP 65)."""
        while (frames := receive_nowait(self._sockets.iopub)) is not None:
            event = frames[0]
            if len(frames) == 1 and event.startswith(SUBSCRIBE):
                topic = event.removeprefix(SUBSCRIBE)
                content = {"subscription": topic.decode("utf-8", "replace")}
                send(self._sockets.iopub, self._end.send(b"iopub_welcome", content, to=(topic,)))
                self._subscribed.set()

    def status(self, state: bytes, parent: bytes) -> None:
        """Publish a status; `state` is its content."""
        self.publish(b"status", state, parent=parent)

    def stream(self, name: str, text: str) -> None:
        """Publish text of stdout or stderr."""
        self.publish(b"stream", {"name": name, "text": text})
