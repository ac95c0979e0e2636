"""Everything that goes out on iopub, from whichever thread."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from minikernel.auth.scheme import Address
from minikernel.transport.sockets import BURST, receive_nowait, send
from minikernel.wire.content import BUSY
from minikernel.wire.message import EMPTY, dumps, loads_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.protocol.end import ChannelEnd
    from minikernel.transport.sockets import KernelSockets

_Message = tuple[bytes, bytes, bytes, "Mapping[str, Any] | None", "Sequence[bytes]"]
SUBSCRIBE = b"\x01"
WELCOME = b"iopub_welcome"
FEW = 4  # subscribers that a cell's output may stop for
GREETINGS = 100  # that go out in a second, and different topics that wait for their greeting
FIRST_SUBSCRIBER = 0.5  # seconds that a first cell waits; libzmq tries again after 0.1 to 0.2


class Publisher:
    """The kernel's end of iopub.

    Args:
        sockets: of the kernel.
        end: of iopub.
        greets: whether a subscription is answered by an iopub_welcome (JEP 65).
        on_deferred: called in the main thread, after a message is out, if an interrupt came
            while it was being sent.
        on_more: called if there are more subscribers to greet than one turn allows.
    """

    def __init__(
        self,
        sockets: KernelSockets,
        end: ChannelEnd,
        *,
        greets: bool,
        on_deferred: Callable[[], None],
        on_more: Callable[[], None],
    ) -> None:
        self.parent = EMPTY  # header of the request that outputs belong to
        self.forked = False  # in a child: it is no kernel
        self._subscribed = threading.Event()
        self._sockets = sockets
        self._end = end
        self._greets = greets
        self._on_deferred = on_deferred
        self._on_more = on_more
        self._main = threading.get_ident()
        self._deferred = False
        self._postponed: deque[_Message] = deque()
        self._owed: deque[bytes] = deque()  # topics whose new subscribers are not greeted yet
        self._left = GREETINGS
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
        # Objects of the user's become JSON here: their code must not run under the lock.
        content = content if isinstance(content, bytes) else dumps(content)
        metadata = loads_dict(dumps(metadata)) if metadata else None
        message = (msg_type, content, parent, metadata, buffers)
        if self.sending():
            self._postponed.append(message)
            return
        with self._sockets.iopub_lock:
            self._send(*message)
            # A send may use up the signal that a subscription gave; after busy more follows.
            more = content is not BUSY and self._greet(FEW)
            self._send_postponed()
        if more:
            self._on_more()
        self.resume()

    def sending(self) -> bool:
        """Whether this thread is sending: a finaliser or signal handler may come in between."""
        return self._sockets.iopub_lock._is_owned()  # type: ignore[attr-defined, no-any-return] # noqa: SLF001 - as threading.Condition asks

    def _send_postponed(self) -> None:
        while self._postponed:
            self._send(*self._postponed.popleft())

    def _send(
        self,
        msg_type: bytes,
        content: bytes,
        parent: bytes,
        metadata: Mapping[str, Any] | None,
        buffers: Sequence[bytes],
    ) -> None:
        frames = self._end.compose(
            msg_type, content, parent=parent, metadata=metadata, buffers=buffers
        )
        self._hand_over(frames, msg_type)

    def _hand_over(self, frames: list[bytes], topic: bytes) -> None:
        sealed = self._end.seal(frames, Address((topic,)))
        if sealed is not None:
            send(self._sockets.iopub, sealed)

    def defer_interrupt(self) -> None:
        """Note that an interrupt came when the main thread could not be interrupted."""
        self._deferred = True

    def resume(self) -> None:
        """Let an interrupt take effect that was deferred; called in the main thread."""
        if self._deferred and threading.get_ident() == self._main:
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
            more = self._greet(BURST)
            self._send_postponed()
        if more:
            self._on_more()

    def renew(self) -> None:
        """A second is over: greet those for whom there was no greeting left in it."""
        self._left = GREETINGS
        self.welcome()

    def _greet(self, most: int) -> bool:
        """Greet new subscribers, each with the topic it subscribed to (JEP 65).

        All subscribers of a topic see its greeting, so those that come together share one. Not
        more than `most` are looked at, or a flood would keep everybody from iopub.

        Returns:
            Whether there may be more.
        """
        more = self._take_subscriptions(most)
        while self._owed and self._left:
            self._left -= 1
            topic = self._owed.popleft()
            content = {"subscription": topic.decode("utf-8", "replace")}
            self._hand_over(self._end.compose(WELCOME, content), topic)
        return more

    def _take_subscriptions(self, most: int) -> bool:
        for _ in range(most):
            frames = receive_nowait(self._sockets.iopub)
            if frames is None:
                return False
            if len(frames) == 1 and frames[0].startswith(SUBSCRIBE):
                self._subscribed.set()
                self._owe(frames[0].removeprefix(SUBSCRIBE))
        return True

    def _owe(self, topic: bytes) -> None:
        """Note whom to greet; what everybody subscribes to goes first, and is never left out."""
        if not self._greets or topic in self._owed:
            return
        if not topic:
            self._owed.appendleft(topic)
        elif len(self._owed) < GREETINGS:
            self._owed.append(topic)

    def welcome_client(self) -> None:
        """Greet a client that has bound itself (channel-hmac, section 3)."""
        self.publish(WELCOME, {"subscription": ""}, parent=EMPTY)

    def status(self, state: bytes, parent: bytes) -> None:
        """Publish a status; `state` is its content."""
        self.publish(b"status", state, parent=parent)

    def stream(self, name: str, text: str) -> None:
        """Publish text of stdout or stderr."""
        self.publish(b"stream", {"name": name, "text": text})
