"""The channels of a client: jupyter_client's, receiving through the verifier.

What does not verify neither reaches the caller nor ends a wait: a timeout is a deadline.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import zmq
from jupyter_client.channels import HBChannel, ZMQSocketChannel

from minikernel.client.connection import Connection
from minikernel.client.inbox import Inbox
from minikernel.errors import RemoteProtocolError
from minikernel.transport import sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jupyter_client.session import Session

    from minikernel.auth.scheme import ClientSide
    from minikernel.client.verifier import Msg, Verifier
    from minikernel.transport.curve import ClientKeys
    from minikernel.wire.channels import Channel

# Plain numbers: pyzmq is slow with its enums.
EVENTS, POLLIN, POLLOUT = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)
SNDMORE, NOBLOCK = int(zmq.SNDMORE), int(zmq.NOBLOCK)
BACKLOG = 12_000  # messages that the queues of kernel and client hold together
LINGER = 500  # ms that a closed socket may go on sending
SENDING = 10.0  # seconds that a message may wait if there is no connection
SLICE = 1000  # refused messages after which a caller may look at its deadline


class Link(NamedTuple):
    """What a channel needs to know besides its socket."""

    verifier: Verifier
    channel: Channel
    tend: Callable[[], float | None]  # sees to the handshake; seconds until it wants to again
    context: zmq.Context[Any] | None  # where the connection is to be watched, if it is


class Receiver:
    """The part that blocking and asynchronous channels share.

    Args:
        socket: a socket without asyncio.
        link: who judges, and for which channel.
    """

    def __init__(self, socket: zmq.Socket[bytes], link: Link) -> None:
        self._raw = socket
        self._link = link
        self._send_until: float | None = None
        self._sending = threading.Lock()  # half a message would garble another thread's
        self.ahead: deque[Msg] = deque()  # looked at, and not yet taken
        self.inbox = Inbox(socket)
        self.connection = None if link.context is None else Connection(socket, link.context)

    def close(self) -> None:
        """End the watch over the connection; the socket is closed by its channel."""
        self.inbox.close()
        if self.connection is not None:
            self.connection.close()

    def has_lost_connection(self) -> bool:
        """Whether the connection was lost since this was asked last."""
        return self.connection is not None and self.connection.has_been_lost()

    def take(self) -> Msg | None:
        """The next message that has come and verified; None if there is none yet."""
        if self.ahead:
            return self.ahead.popleft()
        for _ in range(SLICE):
            frames = self.inbox.next()
            if frames is None:
                return None
            msg = self._link.verifier.open(self._link.channel, frames)
            if msg is not None:
                return msg
        return None

    def discard(self, others: Callable[[Msg], object] | None = None) -> None:
        """Make room for what comes next: the kernel drops it if both queues are full."""
        for _ in range(BACKLOG):
            if (msg := self.take()) is None:
                return
            if others is not None:
                others(msg)

    def await_binding(self, deadline: float | None) -> None:
        """Until the kernel knows where we are on this channel. Raises queue.Empty."""
        while self._link.verifier.connection.is_binding(self._link.channel):
            self._raw.poll(milliseconds_to(deadline))
            self.discard()

    def has_message(self) -> bool:
        """Whether `take` has something to give; it is not taken."""
        if not self.ahead and (msg := self.take()) is not None:
            self.ahead.append(msg)
        return bool(self.ahead)

    @property
    def has_more(self) -> bool:
        """Whether there is something that the socket does not tell of."""
        return bool(self.ahead) or bool(self.inbox)

    def can_send(self) -> bool:
        """Whether `send` would not wait: a peer that encrypts otherwise is gone for good."""
        return bool(self._raw.get(EVENTS) & POLLOUT)  # type: ignore[operator]  # an int, for this option

    def send(self, msg: Msg) -> None:
        """Sign and send a message of `Session.msg`."""
        self.put(self._link.verifier.seal(self._link.channel, msg))

    def offer(self, msg: Msg) -> None:
        """Send a message whose answer has a deadline, unless `send` would wait."""
        self.offer_frames(self._link.verifier.seal(self._link.channel, msg))

    def offer_frames(self, frames: list[bytes]) -> None:
        """Send frames that will be repeated, unless `put` would wait."""
        with self._sending:
            if self._begin(frames[0]):
                self._go_on(frames)

    def put(self, frames: list[bytes]) -> None:
        """Send frames as they are; waits where the queue is full.

        Raises:
            TimeoutError: for longer than `sending_until` allows, or there is no connection.
        """
        deadline = self._send_until
        with self._sending:
            while not self._begin(frames[0]):
                if deadline is None and not self._is_connected():
                    deadline = deadline_in(SENDING)
                try:
                    left = milliseconds_to(deadline)
                except Empty:
                    raise TimeoutError("the kernel takes no requests") from None
                self._raw.poll(left, POLLOUT)
            self._go_on(frames)

    def _is_connected(self) -> bool:
        return self.connection is not None and self.connection.is_up()

    def _begin(self, frame: bytes) -> bool:
        """Send the first frame, if there is room; what follows it always finds some."""
        try:
            self._raw.send(frame, SNDMORE | NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _go_on(self, frames: list[bytes]) -> None:
        """Send the others; never waits. If the connection goes meanwhile, so does the message."""
        with contextlib.suppress(zmq.Again):
            for frame in frames[1:-1]:
                self._raw.send(frame, SNDMORE | NOBLOCK)
            self._raw.send(frames[-1], NOBLOCK)

    @contextlib.contextmanager
    def sending_until(self, deadline: float | None) -> Iterator[None]:
        """What is sent meanwhile waits no longer: a connection may go after `can_send`."""
        self._send_until = deadline
        try:
            yield
        finally:
            self._send_until = None

    def patience(self, deadline: float | None) -> int | None:
        """Milliseconds that a poll may take; the handshake is seen to. Raises queue.Empty."""
        left, next_turn = milliseconds_to(deadline), self._link.tend()
        if next_turn is None:
            return left
        turn = math.ceil(next_turn * 1000)
        return turn if left is None else min(left, turn)


class Sending(ZMQSocketChannel):
    """What nobody waits for, of a channel of either kind of client."""

    receiver: Receiver

    def close(self) -> None:
        """Close the socket once; what was sent still goes out, which jupyter_client would drop."""
        self.receiver.close()
        if self.socket is not None:
            self.socket.close(LINGER)
            self.socket = None

    stop = close

    def send(self, msg: Msg) -> None:
        """Sign and send a message of `Session.msg`."""
        self.receiver.send(msg)


class VerifyingChannel(Sending):
    """A channel of a blocking client."""

    def __init__(self, socket: zmq.Socket[bytes], session: Session, link: Link) -> None:
        super().__init__(socket, session)
        self.receiver = Receiver(socket, link)

    def _recv(self, **_: object) -> Msg:
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

    def msg_ready(self) -> bool:
        """Whether a verified message has come."""
        return self.receiver.has_message()


def monitors(channels: dict[Channel, Any]) -> set[Any]:
    """The sockets that tell of lost connections."""
    watched = (channel.receiver.connection for channel in channels.values())
    return {connection.monitor for connection in watched if connection is not None}


def with_messages(channels: dict[Channel, Any], events: Mapping[Any, int]) -> dict[Channel, Any]:
    """Those of the channels that have something to take, after a poll."""
    return {
        name: channel
        for name, channel in channels.items()
        if channel.socket in events or channel.receiver.has_more
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
    pings = 0  # that were sent
    interval = PING_INTERVAL
    rejected = 0
    heard = 0.0  # when the last authenticated pong came; seconds, monotonic
    scheme: ClientSide | None = None
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
        while self._running:
            if self._pause:
                self._exit.wait(self.time_to_dead)
                continue
            self.pings += 1
            self._beating = self._ping(b"ping %d" % self.pings)
            if self._beating:
                self.beats += 1
            elif self._running:
                self.call_handlers(self.time_to_dead)
                self._create_socket()  # REQ must not send again before it has received

    def _authenticate(self, scheme: ClientSide) -> None:
        self._create_socket(zmq.DEALER)
        self._running = self._beating = True
        while self._running:
            answered = self.beats
            ping = None if self._pause else scheme.ping()
            if ping is not None:
                self._send_ping(ping)
            self._exit.wait(self.interval if ping is not None else self.time_to_dead / 10)
            inbox = sockets.Inbox(self.socket)
            while (frames := inbox.whole()) is not None:
                self._take_pong(scheme, frames[-1] if frames else b"")
            if ping is not None:
                self._beating = self.beats > answered

    def _send_ping(self, ping: bytes) -> None:
        self.pings += 1
        try:
            self.socket.send_multipart([b"", ping], zmq.NOBLOCK)
        except zmq.Again:  # libzmq gave the connection up: what came by it could not be decrypted
            self._create_socket(zmq.DEALER)

    def _take_pong(self, scheme: ClientSide, frame: bytes) -> None:
        try:
            scheme.take_pong(frame)
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
        with contextlib.suppress(zmq.Again):  # no echo will come
            self.socket.send(payload, zmq.NOBLOCK)
        self._exit.wait(self.time_to_dead)
        return bool(self.socket.poll(0)) and self.socket.recv() == payload
