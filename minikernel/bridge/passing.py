"""What the bridge does once the kernel is there: it passes messages on, in one thread."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

from minikernel.bridge.privacy import without_debugger
from minikernel.bridge.subscribers import WELCOME, Subscribers
from minikernel.bridge.wishes import Wishes
from minikernel.errors import PermissionDenied
from minikernel.transport.clock import Clock
from minikernel.transport.loops import Watch
from minikernel.transport.sockets import BURST, send
from minikernel.wire.channels import INTERRUPT, Channel
from minikernel.wire.content import ok

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.bridge.back import Back
    from minikernel.bridge.front import Front
    from minikernel.bridge.readiness import Readiness
    from minikernel.bridge.starting import Started
    from minikernel.transport.log import Log
    from minikernel.transport.loops import Source
    from minikernel.wire.message import Message

DEBUG = "debug_request"
REQUESTS = (Channel.CONTROL, Channel.STDIN, Channel.SHELL)
QUIET = 0.05  # seconds without a word after which a kernel that has ended has said everything


class Bridge:
    """Passes messages on between clients and the kernel.

    Args:
        started: the kernel.
        front: where clients are.
        back: where the kernel is.
        kernel: what has been seen of it.
        log: told of failures of our own.
        debugs: whether a debug_request may reach the kernel, whose debugger opens a port.
    """

    def __init__(
        self,
        started: Started,
        front: Front,
        back: Back,
        kernel: Readiness,
        log: Log,
        *,
        debugs: bool,
    ) -> None:
        self.is_told_to_end = False  # a client has asked the kernel to
        self.has_debugged = False  # a debug_request was answered; whoever looks resets it
        self._debugs = debugs
        self._kernel = started.kernel
        self._by_message = started.original.is_interrupted_by_message
        self._front = front
        self._back = back
        self._log = log
        self._wishes = Wishes(Clock.monotonic)
        self._early = kernel.early
        self.subscribers = Subscribers(front, greets=kernel.greets)

    def run(
        self,
        others: dict[Source, Callable[[], None]],
        tick: Callable[[], None],
        ended: Callable[[], bool],
    ) -> None:
        """Pass on what comes.

        Args:
            others: descriptors to watch besides.
            tick: called once a second.
            ended: whether to pass nothing on any more.
        """
        self.subscribers.take()
        for passed in self._early:
            self._front.pass_on(passed.message.frames, passed.message.peer.route)
        sources: dict[Source, Callable[[], None]] = {**others}
        for channel in REQUESTS:
            sources[self._front.sockets[channel]] = partial(self._forward, channel)
        sources[self._front.sockets[Channel.IOPUB]] = self.subscribers.take
        sources[self._back.sockets.sockets[Channel.IOPUB]] = self._publish
        for channel in REQUESTS:
            sources[self._back.sockets.sockets[channel]] = partial(self._answer, channel)
        sources[self._front.sockets[Channel.HEARTBEAT]] = self._ping
        sources[self._back.sockets.sockets[Channel.HEARTBEAT]] = self._pong
        self._watch = Watch(sources, tick=tick, failed=self._failed)
        self._watch.run(ended)

    def finish(self) -> None:
        """The kernel has ended: pass on what it said before."""
        while self._back.sockets.wait(QUIET):
            self._publish()
            for channel in REQUESTS:
                self._answer(channel)
            self._pong()

    def _failed(self, problem: Exception) -> None:
        self._log.line(f"internal error, {type(problem).__name__}")

    # To the kernel.

    def _forward(self, channel: Channel) -> None:
        """Pass on requests, as long as the kernel takes them; else they wait at their sender's."""
        inbox = self._front.inboxes[channel]
        for _ in range(BURST):
            if not self._back.sockets.has_room(channel):
                self._watch.pause(self._front.sockets[channel])
                return
            frames = inbox.next()
            if frames is None:
                return
            message = self._front.take(channel, frames)
            if message is not None:
                self._contain(channel, message)

    def _contain(self, channel: Channel, message: Message) -> None:
        try:
            self._serve(channel, message)
        except Exception as problem:  # noqa: BLE001 - a refusal, or a bug of ours: one message is lost, and answered
            self._front.refuse(channel, message, problem)

    def _serve(self, channel: Channel, message: Message) -> None:
        msg_type = message.header.msg_type
        if msg_type == INTERRUPT and channel is not Channel.STDIN and self._is_ours():
            self._front.reply(channel, message, ok())
            return
        if msg_type == DEBUG and not self._debugs:
            raise PermissionDenied("the debugger's port would be open to others on this machine")
        via, frames = self._back.connection.forward(channel, message)
        if not self._back.send(via, frames):
            self._log.line(f"{via.value}: the kernel takes no more")
        elif msg_type == "shutdown_request":
            self.is_told_to_end = True

    # Interrupts.

    def _is_ours(self) -> bool:
        """Whether an interrupt_request is answered here: what it asks for is done."""
        is_new = self._wishes.is_new_by_message()
        if self._by_message:
            return not is_new
        if is_new:
            self._kernel.signal(signal.SIGINT)
        return True

    def interrupt(self) -> None:
        """A signal has come that wants the kernel to be interrupted."""
        if not self._wishes.is_new_by_signal():
            return
        if self._by_message:
            self._back.ask(Channel.CONTROL, INTERRUPT.encode(), {})
        else:
            self._kernel.signal(signal.SIGINT)

    # From the kernel.

    def _publish(self) -> None:
        for passed in self._back.some(Channel.IOPUB):
            message = passed.message
            if not passed.own and message.header.msg_type != WELCOME.decode():
                self._front.pass_on(message.frames, message.peer.route)

    def _answer(self, channel: Channel) -> None:
        for passed in self._back.some(channel):
            if passed.to is not None:
                self._front.send(passed.channel, self._told(passed.message), passed.to)

    def _told(self, message: Message) -> list[bytes]:
        """The frames of a reply as they are, but without a debugger that nobody may use."""
        msg_type = message.header.msg_type
        if msg_type == "debug_reply":
            self.has_debugged = True
        if msg_type != "kernel_info_reply" or self._debugs:
            return message.frames
        header, parent, metadata, content, *buffers = message.frames
        return [header, parent, metadata, without_debugger(content), *buffers]

    # Heartbeats are the kernel's: who gets none knows how it is.

    def _ping(self) -> None:
        for frames in self._front.inboxes[Channel.HEARTBEAT].some():
            send(self._back.sockets.sockets[Channel.HEARTBEAT], frames)

    def _pong(self) -> None:
        for frames in self._back.sockets.inboxes[Channel.HEARTBEAT].some():
            send(self._front.sockets[Channel.HEARTBEAT], frames)
