"""The channels of a client: jupyter_client's, receiving through the verifier.

What does not verify neither reaches the caller nor ends a wait: a timeout is a deadline.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import zmq
import zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel, HBChannel, ZMQSocketChannel

from minikernel.errors import RemoteProtocolError
from minikernel.transport.sockets import receive_nowait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_client.session import Session

    from minikernel.auth.channel_hmac_membership import ClientChannelHmac
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
    tend: Callable[[], float | None]  # sees to the handshake; seconds until it wants to again
    context: zmq.Context[Any] | None  # where the connections are to be watched


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
        self.monitor = None if link.context is None else _monitor(socket, link.context)

    def close(self) -> None:
        """End the watch over the connection; the socket is closed by its channel."""
        if self.monitor is not None and not self._raw.closed:
            self._raw.disable_monitor()
            self.monitor.close(linger=0)
            self.monitor = None

    def has_lost_connection(self) -> bool:
        """Whether the connection was lost since this was asked last."""
        lost = False
        while self.monitor is not None and receive_nowait(self.monitor) is not None:
            lost = True
        return lost

    def take(self) -> Msg | None:
        """The next message that has come and verified; None if there is none yet."""
        if self.ahead:
            return self.ahead.popleft()
        for _ in range(SLICE):
            frames = receive_nowait(self._raw)
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
        self.put(self._link.verifier.seal(self._link.channel, msg))

    def offer(self, frames: list[bytes]) -> None:
        """Send frames that a handshake will repeat, unless `send` would wait."""
        if self.can_send():
            self.put(frames)

    def put(self, frames: list[bytes]) -> None:
        """Send frames as they are; waits where the queue is full."""
        *first, last = frames
        for frame in first:
            self._raw.send(frame, SNDMORE)
        self._raw.send(last)

    def patience(self, deadline: float | None) -> int | None:
        """Milliseconds that a poll may take; the handshake is seen to. Raises queue.Empty."""
        left, next_turn = milliseconds_to(deadline), self._link.tend()
        if next_turn is None:
            return left
        turn = math.ceil(next_turn * 1000)
        return turn if left is None else min(left, turn)


def _monitor(socket: zmq.Socket[bytes], context: zmq.Context[Any]) -> zmq.Socket[bytes]:
    """A socket that has something to read when a connection of the other one was lost."""
    address = f"inproc://minikernel-monitor-{id(socket)}"
    socket.monitor(address, zmq.Event.DISCONNECTED)
    monitor: zmq.Socket[bytes] = context.socket(zmq.PAIR, socket_class=zmq.Socket)
    monitor.connect(address)
    return monitor


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
            cast("zmq.Socket[bytes]", self.socket).poll(self.receiver.patience(deadline))
        return msg

    def get_msgs(self) -> list[Msg]:
        """All verified messages that have come."""
        return list(iter(self.receiver.take, None))

    def close(self) -> None:
        """Close the socket."""
        self.receiver.close()
        super().close()

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
            await self.socket.poll(self.receiver.patience(deadline))
        return msg

    async def get_msgs(self) -> list[Msg]:  # type: ignore[override]  # likewise
        """All verified messages that have come."""
        return list(iter(self.receiver.take, None))

    def close(self) -> None:
        """Close the socket."""
        self.receiver.close()
        super().close()

    async def msg_ready(self) -> bool:  # type: ignore[override]  # likewise
        """Whether a verified message has come."""
        return self.receiver.has_message()

    def send(self, msg: Msg) -> None:
        """Sign and send a message of `Session.msg`."""
        self.receiver.send(msg)


def monitors(channels: dict[Channel, Any]) -> set[Any]:
    """The sockets that tell of lost connections, if they are wanted."""
    watching = (channel.receiver.monitor for channel in channels.values())
    return {monitor for monitor in watching if monitor is not None}


def with_messages(channels: dict[Channel, Any], events: Mapping[Any, int]) -> dict[Channel, Any]:
    """Those of the channels that have something to take, after a poll."""
    return {
        name: channel
        for name, channel in channels.items()
        if channel.socket in events or channel.receiver.ahead
    }


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


PING_INTERVAL = 3.0  # seconds between two authenticated pings (channel-hmac, section 3)


class HeartbeatChannel(HBChannel):
    """jupyter_client's heartbeat, which also counts the beats and takes no other echo.

    Where the scheme authenticates heartbeats, a ping that gets no answer is counted and ends
    nothing: code that holds the GIL answers late.
    """

    beats = 0
    pings = 0  # authenticated ones that were sent
    rejected = 0
    heard = 0.0  # when the last authenticated pong came; seconds, monotonic
    scheme: ClientChannelHmac | None = None
    curve: ClientKeys | None = None
    context: zmq.Context[Any]
    address: str
    socket: Any

    def run(self) -> None:
        """The thread's work: pings that must come back."""
        self.heard = time.monotonic()
        if self.scheme is not None:
            self._authenticate(self.scheme)
            return
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

    def _authenticate(self, scheme: ClientChannelHmac) -> None:
        self._create_socket(zmq.DEALER)
        self._running = self._beating = True
        while self._running:
            answered = self.beats
            ping = None if self._pause else scheme.ping()
            if ping is not None:
                self.pings += 1
                self._offer([b"", ping])
            self._exit.wait(PING_INTERVAL if ping is not None else self.time_to_dead / 10)
            while (frames := receive_nowait(self.socket)) is not None:
                self._take_pong(scheme, frames[-1])
            if ping is not None:
                self._beating = self.beats > answered

    def _offer(self, frames: list[bytes]) -> None:
        """Send, but never wait: a connection to who speaks otherwise is gone for good."""
        if not self.socket.poll(0, POLLOUT):
            self._create_socket(zmq.DEALER)
        with contextlib.suppress(zmq.Again):
            self.socket.send_multipart(frames, zmq.NOBLOCK)

    def _take_pong(self, scheme: ClientChannelHmac, frame: bytes) -> None:
        try:
            scheme.pong(frame)
        except RemoteProtocolError:
            self.rejected += 1
        else:
            self.beats += 1
            self.heard = time.monotonic()

    def _create_socket(self, kind: int = zmq.REQ) -> None:
        if self.socket is not None:
            self.socket.close(linger=0)
        # The thread has no event loop, and a client's context may be one of asyncio.
        self.socket = zmq.Context.shadow(self.context.underlying).socket(kind)
        self.socket.linger = 0
        if self.curve is not None:
            self.curve.secure(self.socket)
        self.socket.connect(self.address)

    def _ping(self, payload: bytes) -> bool:
        self.socket.send(payload)
        self._exit.wait(self.time_to_dead)
        return bool(self.socket.poll(0)) and self.socket.recv() == payload
