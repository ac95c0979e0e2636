"""Everything that goes out on iopub, from whichever thread."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from minikernel.errors import FramingError
from minikernel.kernel import fork
from minikernel.transport.sharing import Sharing
from minikernel.transport.sockets import BURST, MAX_MESSAGE, Inbox, send
from minikernel.wire.channels import Channel
from minikernel.wire.content import BUSY, IDLE
from minikernel.wire.message import EMPTY, dumps, loads_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from minikernel.kernel.interrupts import Gate
    from minikernel.kernel.request import Requests
    from minikernel.protocol.kernel import KernelConnection
    from minikernel.transport.sockets import KernelSockets

_Message = tuple[bytes, bytes, bytes, "Mapping[str, Any] | None", "Sequence[bytes]"]
SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"
WELCOME = b"iopub_welcome"
FEW = 4  # subscribers that a cell's output may stop for
MANY = 5 * BURST  # that are looked at in a turn: a flood must not come faster than it is read
GREETINGS = 100  # that go out in a second, and different topics that wait for their greeting
FIRST_SUBSCRIBER = 0.5  # seconds that a first cell waits; libzmq tries again after 0.1 to 0.2


class Publisher:
    """The kernel's end of iopub.

    Args:
        sockets: of the kernel.
        connection: the kernel's side of all channels.
        requests: know whose an output is.
        greets: whether a subscription is answered by an iopub_welcome (JEP 65).
        gate: opened again after a message is out.
        on_more: called if there are more subscribers to greet than one turn allows.
    """

    def __init__(
        self,
        sockets: KernelSockets,
        connection: KernelConnection,
        requests: Requests,
        gate: Gate,
        *,
        greets: bool,
        on_more: Callable[[], None],
    ) -> None:
        self._subscribed = threading.Event()
        self._sockets = sockets
        self._inbox = Inbox(sockets.iopub, MAX_MESSAGE[Channel.IOPUB])
        self._connection = connection
        self._tally = connection.ends[Channel.IOPUB].tally
        self._requests = requests
        self._greets = greets
        self._gate = gate
        self._on_more = on_more
        self._postponed: deque[_Message] = deque()
        self._owed: deque[bytes] = deque()  # topics whose new subscribers are not greeted yet
        self._left = GREETINGS
        self._sharing = Sharing()

    def publish(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        *,
        parent: bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Send a message to all subscribers; in a forked child, to nobody.

        Args:
            msg_type: of the message.
            content: JSON, or what becomes JSON.
            parent: header of the request; None: that of this thread or task.
            metadata: besides what the kernel adds.
            buffers: of the message.
        """
        if fork.happened():
            return
        parent = self._requests.mine().parent if parent is None else parent
        # Objects of the user's become JSON here: their code must not run under the lock.
        content = content if isinstance(content, bytes) else dumps(content)
        metadata = loads_dict(dumps(metadata)) if metadata else None
        message = (msg_type, content, parent, metadata, buffers)
        if self._gate.sending():
            self._postponed.append(message)
            return
        with self._sockets.iopub_lock:
            self._send(*message)
            # A send may use up the signal that a subscription gave; after busy more follows.
            more = content is not BUSY and self._greet(FEW)
            self._send_postponed()
        if more:
            self._on_more()
        self._gate.resume()

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
        frames = self._connection.publish(
            msg_type, content, topic=msg_type, parent=parent, metadata=metadata, buffers=buffers
        )
        if frames is not None:
            if buffers:
                frames[-len(buffers) :] = self._sharing.frames(frames[-len(buffers) :])
            send(self._sockets.iopub, frames)

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
            more = self._greet(MANY)
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
            frames = self._connection.publish(WELCOME, content, topic=topic)
            if frames is not None:
                send(self._sockets.iopub, frames)
        return more

    def _take_subscriptions(self, most: int) -> bool:
        for frames in self._inbox.waiting(most):
            if frames is None:
                break
            if len(frames) != 1 or not frames[0].startswith((SUBSCRIBE, UNSUBSCRIBE)):
                self._tally.rejected[FramingError.reason] += 1
                if not frames:  # it may have been long
                    break
            elif frames[0].startswith(SUBSCRIBE):
                self._subscribed.set()
                self._owe(frames[0].removeprefix(SUBSCRIBE))
        return self._inbox.behind

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

    @contextlib.contextmanager
    def working(self, parent: bytes, *, announced: bool = True) -> Iterator[None]:
        """Busy before, idle after; nothing if that is not to be announced."""
        if announced:
            self.status(BUSY, parent)
        try:
            yield
        finally:
            if announced:
                self.status(IDLE, parent)

    def stream(self, name: str, text: str, parent: bytes | None = None) -> None:
        """Publish text of stdout or stderr."""
        self.publish(b"stream", {"name": name, "text": text}, parent=parent)
