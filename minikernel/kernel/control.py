"""The thread that answers while a cell runs: control, stdin, subscriptions, signals."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from minikernel.errors import TooManySessions
from minikernel.kernel.dispatch import Effect
from minikernel.kernel.port import Port
from minikernel.transport.loops import Watch
from minikernel.transport.sockets import receive_some
from minikernel.wire.content import BUSY, IDLE, InputReply, error, ok, reply_type
from minikernel.wire.message import loads_header

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minikernel.auth.channel_hmac import KernelChannelHmac
    from minikernel.auth.scheme import Peer
    from minikernel.kernel.dispatch import Dispatch
    from minikernel.kernel.publisher import Publisher
    from minikernel.kernel.refusals import Refusals
    from minikernel.protocol.end import ChannelEnd
    from minikernel.transport.loops import Source
    from minikernel.transport.sockets import KernelSockets
    from minikernel.wire.message import Message

BIND = "bind_request"
NOT_ASKED = "not asked"  # how the ledger counts an answer to no question
# After a restart a client's stdin may find the kernel later than its shell did.
TRIES, TRY_AGAIN = 20, 0.05  # to send a question; seconds between them
END_OF_FILE = "\x04"  # what jupyter_client and jupyter console answer to Ctrl-D


class Asker(NamedTuple):
    """Whose request runs, and so who may be asked for input."""

    session: str
    peer: Peer
    parent: bytes


class Question:
    """An input_request that waits for its answer."""

    def __init__(self, asker: Asker, frames: list[bytes]) -> None:
        self.asker = asker
        self.frames = frames
        self.msg_id = loads_header(frames[0])[0].msg_id
        self.asked: str | None = None  # the session that was asked, in schemes that have them
        self.tries_left = TRIES
        self.answered = threading.Event()
        self.value: str | None = None  # None: the client has gone

    def answer(self, value: str | None) -> None:
        """Wake whoever waits in `input()`."""
        self.value = value
        self.answered.set()

    def is_answered_by(self, message: Message) -> bool:
        """Whether the reply is for this question (channel-hmac, sections 5 and 8).

        On the stock wire, jupyter_client's `input()` names no parent; JupyterLab does.
        """
        if self.answered.is_set() or not isinstance(message.content, InputReply):
            return False  # without the channel table anything may come
        named = message.parent_header.get("msg_id")
        if message.peer.session is None:
            return message.header.session == self.asker.session and named in {None, self.msg_id}
        return message.peer.session == self.asked and named == self.msg_id


class Control:
    """Owns the sockets of control and stdin.

    Args:
        sockets: of the kernel.
        control: its end of that channel.
        stdin: likewise.
        clients: the scheme, if it is one with sessions.
        dispatch: answers.
        publisher: of status messages.
        refusals: counts and logs what is refused.
        effects: called with what a request asks for.
        on_wake: called with the numbers of signals that came.
        on_tick: called once a second.
    """

    def __init__(
        self,
        sockets: KernelSockets,
        control: ChannelEnd,
        stdin: ChannelEnd,
        *,
        clients: KernelChannelHmac | None,
        dispatch: Dispatch,
        publisher: Publisher,
        refusals: Refusals,
        effects: Callable[[Effect], None],
        on_wake: Callable[[bytes], None],
        on_tick: Callable[[], None],
    ) -> None:
        self._subscriptions = sockets.subscriptions
        self._control = Port(sockets.control, control, refusals)
        self._stdin = Port(sockets.stdin, stdin, refusals)
        self._clients = clients
        self._dispatch = dispatch
        self._publisher = publisher
        self._effects = effects
        self._on_wake = on_wake
        self._on_tick = on_tick
        self._questions: deque[Question] = deque()  # to be sent
        self._open: Question | None = None  # was sent
        self._asking = threading.Lock()  # one question after the other, also of two threads
        self._ended = False
        self._wake_read, self.wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self.wake_write, False)

    def run(self) -> None:
        """The thread's work, until `end`."""
        sources: dict[Source, Callable[[], None]] = {
            self._control.socket: self._receive_control,
            self._stdin.socket: self._receive_stdin,
            self._subscriptions: self._publisher.welcome,
            self._wake_read: self._woken,
        }
        Watch(sources, tick=self._tick).run(lambda: self._ended)

    def end(self) -> None:
        """Make `run` return soon."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        """Make the thread look around."""
        with contextlib.suppress(BlockingIOError):  # full: it will look around anyway
            os.write(self.wake_write, b"\0")

    def ask(self, asker: Asker, prompt: str, *, password: bool) -> str:
        """Ask the client whose request runs for a line; from any thread but the control thread.

        Raises:
            EOFError: that client has gone, or says that its input is over.
            KeyboardInterrupt: from the signal handler, while it waits.
        """
        content = {"prompt": prompt, "password": password}
        with self._asking:
            frames = self._stdin.end.compose(b"input_request", content, parent=asker.parent)
            question = Question(asker, frames)
            try:
                self._questions.append(question)
                self.wake()
                while not question.answered.wait(TRY_AGAIN if question.tries_left else None):
                    self._questions.append(question)
                    self.wake()
            finally:
                question.answered.set()  # an interrupt closes it: no answer is for it any more
        if question.value is None:
            raise EOFError("the client that asked for this cell can't be asked for input")
        if question.value == END_OF_FILE:
            raise EOFError("the input is over")
        return question.value

    def _woken(self) -> None:
        signals = os.read(self._wake_read, 4096)
        self._publisher.welcome()  # those that did not have their turn yet
        while self._questions:
            question = self._questions.popleft()
            if question.tries_left and not question.answered.is_set():
                self._open = question
                self._put(question)
        self._on_wake(signals)

    def _tick(self) -> None:
        self._on_tick()
        self._publisher.renew()
        question, clients = self._open, self._clients
        if question is None or clients is None:
            return
        # Its session may have been dropped, or its place taken: then nobody is left to answer.
        if clients.current(question.asker.peer) is None:
            question.answer(None)
            self._open = None

    def _put(self, question: Question) -> None:
        """Put a question to its client, or to the session that took over from it."""
        if self._clients is not None:
            question.asked = self._clients.current(question.asker.peer)
        sent = self._stdin.send(question.frames, question.asker.peer)
        question.tries_left = 0 if sent else question.tries_left - 1
        if not sent and (question.tries_left <= 0 or self._clients is not None):
            question.answer(None)

    def _receive_stdin(self) -> None:
        for frames in receive_some(self._stdin.socket):
            message = self._stdin.take(frames)
            if message is None:
                continue
            if message.header.msg_type == BIND:
                self._reply(self._stdin, message, ok())
                self._ask_again(message.peer)
            elif self._open is None or not self._open.is_answered_by(message):
                self._stdin.end.refuse(NOT_ASKED)
            else:
                question, self._open = self._open, None
                question.answer(message.content.value)

    def _ask_again(self, peer: Peer) -> None:
        """A client has shaken hands again: its new session can be asked what the old one was."""
        question = self._open
        if question is None or question.answered.is_set() or self._clients is None:
            return
        if question.asked != peer.session == self._clients.current(question.asker.peer):
            self._put(question)

    def _receive_control(self) -> None:
        for frames in receive_some(self._control.socket):
            message = self._control.take(frames)
            if message is None:
                continue
            if message.header.msg_type == BIND and self._clients is not None:
                self._bind(self._clients, message)
            else:
                self._answer(message)

    def _bind(self, clients: KernelChannelHmac, message: Message) -> None:
        """Give a client its place, perhaps that of an older session of its own."""
        peer = message.peer
        try:
            content = clients.bind(peer, message.content.replaces)
        except TooManySessions as problem:
            self._control.end.refuse(problem.reason)
            self._reply(self._control, message, error(problem.ename, str(problem)))
            return
        self._reply(self._control, message, content)
        if clients.observes(peer):
            self._publisher.welcome_client()

    def _answer(self, message: Message) -> None:
        parent = message.header_frame
        self._publisher.status(BUSY, parent)
        content, effect = self._dispatch.answer(message)
        self._reply(self._control, message, content)
        if effect is Effect.STOP:
            reply = reply_type(message.header.msg_type)
            self._publisher.publish(reply, content, parent=parent)
        self._publisher.status(IDLE, parent)
        self._effects(effect)

    def _reply(self, port: Port, message: Message, content: Mapping[str, object]) -> None:
        msg_type = reply_type(message.header.msg_type)
        frames = port.end.compose(msg_type, content, parent=message.header_frame)
        port.send(frames, message.peer)
