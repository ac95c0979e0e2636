"""The five sockets of a kernel."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from minikernel.errors import ConfigError
from minikernel.transport import numbers
from minikernel.transport.connection import PORTS, ConnectionInfo
from minikernel.transport.loops import start_thread
from minikernel.wire.channels import Channel
from minikernel.wire.frames import FIRST_BUFFER, LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Socket = zmq.Socket[bytes]

    from minikernel.transport.curve import Server

MIB = 1 << 20
MAX_MESSAGE = {  # bytes of one frame; ZeroMQ drops the connection that sends more
    Channel.SHELL: 256 * MIB,
    Channel.CONTROL: MIB,
    Channel.STDIN: MIB,
    Channel.IOPUB: 1024,  # a topic costs libzmq some 50 times its length
    Channel.HEARTBEAT: 4096,
}
MAX_FRAMES = LIMITS.before + LIMITS.after + 2
HANDSHAKE = 10_000  # ms that a connection may take for ZeroMQ's own handshake, then it is ended
DESCRIPTORS = 40  # that must be free at the start: libzmq aborts the process if it gets none
LINGER = 1000  # ms that a closed socket may go on sending: the reply to a shutdown, the last idle
PORTION = 4000  # frames of one message in a row; then the other sockets have their turn
BURST = 100  # messages of one socket in a row; then the others have their turn
LARGE = MIB  # bytes of a buffer from which on a copy is worth avoiding
REQUEST_QUEUE = 100  # messages of one connection that wait here, the rest waits at the sender
# Subscriptions of one connection that wait. XPUB takes them into a queue that has no limit, so few;
# a connection that is reset while it has to wait may end the process, in libzmq, so not one.
SUBSCRIPTIONS = 16
IOPUB_QUEUE = 4000  # messages kept for a subscriber that reads slowly, then dropped


class KernelSockets:
    """Binds the sockets of a kernel. Each has one owner thread; iopub has a lock instead.

    Args:
        info: where to bind; ports 0 are replaced by those that were bound.
        clients: path of the list of CURVE keys that may connect; None: all who know the kernel's.
        handover: whether a connection takes over the identity of another, as stock clients need
            it when they reconnect.

    Raises:
        ConfigError: an address can't be bound, a key or the list can't be used, or descriptors are
            too few.
    """

    def __init__(
        self, info: ConnectionInfo, *, clients: str | None = None, handover: bool = True
    ) -> None:
        check_descriptors()
        self.context = zmq.Context()
        self._is_served = False
        self._curve = self._curve_server(info, clients)
        self._handover = handover
        self._ipc_files: list[Path] = []
        self.iopub_lock = threading.RLock()  # a signal handler of the user's may publish
        with numbers.at_random() as self.numbers_at_random:
            self.shell = self._router(Channel.SHELL)
            self.control = self._router(Channel.CONTROL)
            self.stdin = self._router(Channel.STDIN)
            self.heartbeat = self._router(Channel.HEARTBEAT)
        self.stdin.router_mandatory = 1  # input() to a client that has gone raises at once
        self.iopub = self._socket(zmq.XPUB, Channel.IOPUB)
        self.iopub.xpub_verbose = 1  # each subscriber gets an iopub_welcome, not just the first
        self.iopub.sndhwm = IOPUB_QUEUE
        self.iopub.rcvhwm = SUBSCRIPTIONS
        with contextlib.suppress(zmq.ZMQError):  # of later frames an old libzmq takes some out
            self.iopub.setsockopt(zmq.ONLY_FIRST_SUBSCRIBE, 1)
        try:
            self._bind(info)
        except zmq.ZMQError as error:
            self.abandon()
            raise ConfigError(f"can't listen: {error}") from None
        except BaseException:
            self.abandon()
            raise

    def _router(self, channel: Channel) -> zmq.Socket[bytes]:
        router = self._socket(zmq.ROUTER, channel)
        router.router_handover = self._handover
        router.rcvhwm = REQUEST_QUEUE
        return router

    def _socket(self, kind: int, channel: Channel) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.linger = LINGER
        socket.maxmsgsize = MAX_MESSAGE[channel]
        socket.handshake_ivl = HANDSHAKE
        socket.tcp_keepalive = 1  # as often as the system says: peers that vanished without a word
        if self._curve is not None:
            self._curve.secure(socket)
        return socket

    def _curve_server(self, info: ConnectionInfo, clients: str | None) -> Server | None:
        if not info.curve:
            if clients is not None:
                raise ConfigError("a list of clients needs CURVE keys: add --encryption required")
            return None
        from minikernel.transport.curve import Server  # noqa: PLC0415 - the others need none of it

        return Server(self.context, info.curve, clients)

    def serve(
        self,
        pong: Callable[[list[bytes]], list[bytes] | None] | None,
        failed: Callable[[BaseException], object],
    ) -> None:
        """Start the threads that serve sockets: the heartbeat's, and who admits CURVE clients.

        Args:
            pong: answers a heartbeat; None: it is sent back as it came.
            failed: called in such a thread with what ends it, if that is an exception.
        """
        self._is_served = True
        beat = self.echo_heartbeats if pong is None else partial(self.answer_heartbeats, pong)
        start_thread("minikernel heartbeat", beat, failed)
        if self._curve is not None and self._curve.asks:
            start_thread("minikernel admission", self._curve.admit, failed)

    def _bind(self, info: ConnectionInfo) -> None:
        mask = os.umask(0o077)  # ipc sockets for this user only
        try:
            for channel, name in PORTS.items():
                socket = getattr(self, _ATTRIBUTES[channel])
                if info.transport == "ipc":
                    self._bind_ipc(socket, info, channel)
                    continue
                socket.ipv6 = ":" in info.ip
                socket.bind(info.url(channel).replace("localhost", "127.0.0.1"))
                endpoint = socket.last_endpoint.decode().rstrip("\0")
                setattr(info, name, int(endpoint.rpartition(":")[2]))
        finally:
            os.umask(mask)

    def _bind_ipc(self, socket: zmq.Socket[bytes], info: ConnectionInfo, channel: Channel) -> None:
        port = 0
        while getattr(info, PORTS[channel]) == 0:
            port += 1
            setattr(info, PORTS[channel], port)
            if Path(info.ipc_path(channel)).exists():
                setattr(info, PORTS[channel], 0)
        socket.bind(f"ipc://{info.ipc_path(channel)}")
        self._ipc_files.append(Path(info.ipc_path(channel)))

    @property
    def subscriptions(self) -> int:
        """A descriptor that becomes readable when something has happened to iopub."""
        return self.iopub.fileno()

    def echo_heartbeats(self) -> None:
        """Return every heartbeat until the context ends: libzmq's own loop, it needs no GIL."""
        with contextlib.suppress(zmq.ContextTerminated):
            zmq.proxy(self.heartbeat, self.heartbeat)
        self.heartbeat.close()

    def answer_heartbeats(self, answer: Callable[[list[bytes]], list[bytes] | None]) -> None:
        """Let each heartbeat be answered until the context ends."""
        with contextlib.suppress(zmq.ContextTerminated):
            inbox = Inbox(self.heartbeat, MAX_MESSAGE[Channel.HEARTBEAT])
            while True:
                frames = answer(inbox.wait())
                if frames is not None:
                    send(self.heartbeat, frames)
        self.heartbeat.close()

    def close(self) -> None:
        """Send what is pending, for a second at most, and remove the files of ipc sockets.

        The heartbeat's thread and the control thread's sockets must have come to their end or be
        about to: terminating the context ends their waits.
        """
        if not self._is_served:  # nobody else has the heartbeat, and so nobody would close it
            self.heartbeat.close()
        for socket in (self.shell, self.control, self.stdin, self.iopub):
            socket.close()
        self.context.term()
        self.remove_files()

    def abandon(self) -> None:
        """Close everything at once: the kernel does not start."""
        self.context.destroy(0)
        self.remove_files()

    def remove_files(self) -> None:
        """Remove the files of ipc sockets."""
        for path in self._ipc_files:
            path.unlink(missing_ok=True)


def check_descriptors() -> None:
    """See that libzmq gets the descriptors it needs. Raises ConfigError."""
    taken: list[int] = []
    try:
        taken.append(os.open(os.devnull, os.O_RDONLY))
        taken.extend(os.dup(taken[0]) for _ in range(DESCRIPTORS - 1))
    except OSError as error:
        raise ConfigError(f"a kernel needs {DESCRIPTORS} descriptors: {error.strerror}") from None
    finally:
        for descriptor in taken:
            os.close(descriptor)


_ATTRIBUTES = {channel: channel.value for channel in PORTS} | {Channel.HEARTBEAT: "heartbeat"}


# pyzmq's own multipart calls spend three quarters of their time on enums and checks a frame: 17 us
# to send seven frames against 3 us, 15 us to receive them against 8.5 us.
_receive_frame = zmq.backend.Socket.recv
_send_frame = zmq.backend.Socket.send
get_option = zmq.backend.Socket.get
MORE, NOBLOCK = int(zmq.SNDMORE), int(zmq.NOBLOCK)
EVENTS, POLLIN, MORE_ROOM = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)


class Inbox:
    """The messages that come to a socket, read in portions: one may have millions of frames.

    A large buffer is a memoryview of libzmq's memory, all else bytes.

    A message that can't be one is empty: it has too many frames or bytes, there is no memory for
    it, or libzmq cuts it off in the middle, as XPUB does.

    Args:
        socket: that its caller owns.
        most: bytes that a message may have.
    """

    def __init__(self, socket: zmq.Socket[bytes], most: int = sys.maxsize) -> None:
        self._socket = socket
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self._frames: list[bytes] = []
        self._size = 0
        self.unfinished = False  # a message was read in part

    def wait(self) -> list[bytes]:
        """The next message, however long it takes."""
        while (frames := self._read(NOBLOCK if self.unfinished else 0)) is None:
            pass
        return frames

    def next(self) -> list[bytes] | None:
        """The next message; None: none has come, or one that is `unfinished`."""
        if int(get_option(self._socket, EVENTS)) & POLLIN:
            return self._read(NOBLOCK)
        return self._cut_off() if self.unfinished else None

    def whole(self) -> list[bytes] | None:
        """The next message, read to its end; None: none has come."""
        while (frames := self.next()) is None and self.unfinished:
            pass
        return frames

    def some(self, most: int = BURST) -> Iterator[list[bytes]]:
        """What has come, but not so much that a flood keeps the reader from all else."""
        for _ in range(most):
            frames = self.next()
            if frames is None:
                return
            yield frames
            if not frames:  # it may have been long
                return

    def _read(self, flags: int) -> list[bytes] | None:
        # Names of its own: this runs for each frame.
        frames, size, more = self._frames, self._size, self.unfinished
        try:
            for _ in range(PORTION):
                frame = _receive_frame(self._socket, flags, False)
                flags, more, length = NOBLOCK, frame.more, len(frame)
                size += length
                if size <= self._most and len(frames) < MAX_FRAMES:
                    if length < LARGE or len(frames) < FIRST_BUFFER:
                        frames.append(frame.bytes)
                    else:
                        frames.append(frame.buffer.toreadonly())  # type: ignore[arg-type] # as good as bytes
                else:
                    size = self._drop()
                if not more:
                    self._frames, size = [], 0
                    return frames
        except zmq.Again:  # libzmq has each message whole, or has cut it off
            cut, more, size = more, False, 0
            return self._cut_off() if cut else None  # None: what was announced has gone
        except MemoryError:
            size = self._drop()
            if not more:
                more, size = False, 0
                return self._cut_off()
        finally:
            self._size, self.unfinished = size, more
        return None

    def _drop(self) -> int:
        """Keep nothing of a message; the size that keeps what follows out as well."""
        self._frames.clear()
        return self._most + 1

    def _cut_off(self) -> list[bytes]:
        self._begin()
        return []


def uncopied(frames: Sequence[bytes]) -> list[Any]:
    """Frames that came by an `Inbox`, for `send`: large ones share the memory of libzmq."""
    return [frame.obj if isinstance(frame, memoryview) else frame for frame in frames]


def send(socket: zmq.Socket[bytes], frames: Sequence[bytes]) -> bool:
    """Send a message; False if nobody is there to take it, or its receiver reads too slowly."""
    last = len(frames) - 1
    i = 0
    try:
        for i, frame in enumerate(frames):
            # Copied: else pyzmq opens a context of its own, and fails if no descriptor is left.
            _send_frame(socket, frame, MORE | NOBLOCK if i < last else NOBLOCK)
    except BaseException as problem:
        if i:  # its end, or the next message would become part of this one
            with contextlib.suppress(zmq.ZMQError):
                _send_frame(socket, b"", NOBLOCK)
        if isinstance(problem, zmq.ZMQError) and problem.errno in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
            return False
        raise
    return True
