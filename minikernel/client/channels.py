"""The channels of a client: jupyter_client's, receiving through the verifier.

What does not verify neither reaches the caller nor ends a wait: a timeout is a deadline.
"""

from __future__ import annotations

import math
import time
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import zmq
import zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel, HBChannel, ZMQSocketChannel

from minikernel.transport.sockets import MAX_FRAMES

if TYPE_CHECKING:
    from jupyter_client.session import Session

    from minikernel.client.verifier import Msg, Verifier
    from minikernel.transport.curve import ClientKeys
    from minikernel.wire.channels import Channel

# Plain numbers: pyzmq is slow with its enums.
EVENTS, POLLIN, POLLOUT = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)
SNDMORE = int(zmq.SNDMORE)
BACKLOG = 12_000  # messages that the queues of kernel and client hold together
SLICE = 1000  # refused messages after which a caller may look at its deadline


class Link(NamedTuple):
    """What a channel needs to know besides its socket."""

    verifier: Verifier
    channel: Channel


class Receiver:
    """The part that blocking and asynchronous channels share.

    Args:
        socket: a socket without asyncio.
        link: who judges, and for which channel.
    """

    def __init__(self, socket: zmq.Socket[bytes], link: Link) -> None:
        self._raw = socket
        self._link = link
        self.ahead: deque[Msg] = deque()  # looked at, and not yet taken

    def take(self) -> Msg | None:
        """The next message that has come and verified; None if there is none yet."""
        if self.ahead:
            return self.ahead.popleft()
        for _ in range(SLICE):
            frames = _receive(self._raw)
            if frames is None:
                return None
            msg = self._link.verifier.open(self._link.channel, frames)
            if msg is not None:
                return msg
        return None

    def discard(self) -> None:
        """Make room for what comes next: the kernel drops it if both queues are full."""
        for _ in range(BACKLOG):
            if self.take() is None:
                return

    def has_message(self) -> bool:
        """Whether `take` has something to give; it is not taken."""
        if not self.ahead and (msg := self.take()) is not None:
            self.ahead.append(msg)
        return bool(self.ahead)

    def can_send(self) -> bool:
        """Whether `send` would not wait: a peer that encrypts otherwise is gone for good."""
        return bool(self._raw.get(EVENTS) & POLLOUT)  # type: ignore[operator]  # an int, for this option

    def send(self, msg: Msg) -> None:
        """Sign and send a message of `Session.msg`."""
        *first, last = self._link.verifier.seal(self._link.channel, msg)
        for frame in first:
            self._raw.send(frame, SNDMORE)
        self._raw.send(last)


def _receive(socket: zmq.Socket[bytes]) -> list[bytes] | None:
    """The frames of the next message, None if none has come; too many of them are cut off.

    A zmq.Frame knows whether more follow; to ask the socket would take three times as long.
    """
    if not socket.get(EVENTS) & POLLIN:  # type: ignore[operator]  # an int, for this option
        return None
    frames: list[bytes] = []
    more = True
    while more:
        frame = socket.recv(copy=False)
        more = frame.more
        if len(frames) <= MAX_FRAMES:  # one more: so many are refused
            frames.append(frame.bytes)
    return frames


class VerifyingChannel(ZMQSocketChannel):
    """A channel of a blocking client."""

    def __init__(self, socket: zmq.Socket[bytes], session: Session, link: Link) -> None:
        super().__init__(socket, session)
        self.receiver = Receiver(socket, link)

    def _recv(self, **kwargs: Any) -> Msg:  # noqa: ANN401, ARG002 - jupyter_client's signature
        return self.get_msg()

    def get_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message.

        Raises:
            queue.Empty: none came within `timeout` seconds.
        """
        deadline = deadline_in(timeout)
        while (msg := self.receiver.take()) is None:
            cast("zmq.Socket[bytes]", self.socket).poll(milliseconds_to(deadline))
        return msg

    def get_msgs(self) -> list[Msg]:
        """All verified messages that have come."""
        return list(iter(self.receiver.take, None))

    def msg_ready(self) -> bool:
        """Whether a verified message has come."""
        return self.receiver.has_message()

    def send(self, msg: Msg) -> None:
        """Sign and send a message of `Session.msg`."""
        self.receiver.send(msg)


class AsyncVerifyingChannel(AsyncZMQSocketChannel):
    """A channel of an asyncio client."""

    def __init__(self, socket: zmq.asyncio.Socket, session: Session, link: Link) -> None:
        super().__init__(socket, session)
        self.receiver = Receiver(zmq.Socket.shadow(socket.underlying), link)

    async def _recv(self, **kwargs: Any) -> Msg:  # type: ignore[override]  # noqa: ANN401, ARG002 - jupyter_client's
        return await self.get_msg()

    async def get_msg(self, timeout: float | None = None) -> Msg:  # type: ignore[override]  # likewise
        """The next verified message.

        Raises:
            queue.Empty: none came within `timeout` seconds.
        """
        deadline = deadline_in(timeout)
        while (msg := self.receiver.take()) is None:
            await self.socket.poll(milliseconds_to(deadline))
        return msg

    async def get_msgs(self) -> list[Msg]:  # type: ignore[override]  # likewise
        """All verified messages that have come."""
        return list(iter(self.receiver.take, None))

    async def msg_ready(self) -> bool:  # type: ignore[override]  # likewise
        """Whether a verified message has come."""
        return self.receiver.has_message()

    def send(self, msg: Msg) -> None:
        """Sign and send a message of `Session.msg`."""
        self.receiver.send(msg)


def deadline_in(timeout: float | None) -> float | None:
    """The moment `timeout` seconds from now, by the monotonic clock."""
    return None if timeout is None else time.monotonic() + timeout


def milliseconds_to(deadline: float | None) -> int | None:
    """How long a poll may take.

    Raises:
        queue.Empty: the moment is over.
    """
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise Empty
    return math.ceil(left * 1000)


class HeartbeatChannel(HBChannel):
    """jupyter_client's heartbeat, which also counts the beats and takes no other echo."""

    beats = 0
    curve: ClientKeys | None = None
    context: zmq.Context[Any]
    address: str
    socket: Any

    def run(self) -> None:
        """The thread's work: once a second a ping that must come back as it was sent."""
        self._create_socket()
        self._running = self._beating = True
        number = 0
        while self._running:
            if self._pause:
                self._exit.wait(self.time_to_dead)
                continue
            number += 1
            self._beating = self._ping(b"ping %d" % number)
            if self._beating:
                self.beats += 1
            elif self._running:
                self.call_handlers(self.time_to_dead)
                self._create_socket()  # REQ must not send again before it has received

    def _create_socket(self) -> None:
        if self.socket is not None:
            self.socket.close(linger=0)
        # The thread has no event loop, and a client's context may be one of asyncio.
        self.socket = zmq.Context.shadow(self.context.underlying).socket(zmq.REQ)
        self.socket.linger = 0
        if self.curve is not None:
            self.curve.secure(self.socket)
        self.socket.connect(self.address)

    def _ping(self, payload: bytes) -> bool:
        self.socket.send(payload)
        self._exit.wait(self.time_to_dead)
        return bool(self.socket.poll(0)) and self.socket.recv() == payload
