"""The thread that answers while a cell runs: control, stdin, subscriptions, signals."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from minikernel.errors import RemoteProtocolError
from minikernel.kernel.dispatch import Effect
from minikernel.transport.loops import Watch
from minikernel.transport.sockets import receive_some, send
from minikernel.wire.content import BUSY, IDLE, reply_type
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import loads_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minikernel.kernel.dispatch import Dispatch
    from minikernel.kernel.publisher import Publisher
    from minikernel.kernel.refusals import Refusals
    from minikernel.protocol.end import ChannelEnd
    from minikernel.transport.loops import Source
    from minikernel.transport.sockets import KernelSockets
    from minikernel.wire.message import Message

END_OF_FILE = "\x04"  # what jupyter_client and jupyter console answer to Ctrl-D


class Asker(NamedTuple):
    """Whose request runs, and so who may be asked for input."""

    session: str
    identities: Sequence[bytes]
    parent: bytes


class Question:
    """An input_request that waits for its answer."""

    def __init__(self, asker: Asker, frames: list[bytes]) -> None:
        self.asker = asker
        self.frames = frames
        self.msg_id = loads_header(frames[frames.index(DELIMITER) + 2])[0].msg_id
        self.answered = threading.Event()
        self.value: str | None = None  # None: the client has gone

    def answer(self, value: str | None) -> None:
        """Wake whoever waits in `input()`."""
        self.value = value
        self.answered.set()

    def is_answered_by(self, message: Message) -> bool:
        """Whether the reply is for this question (channel-hmac, section 8).

        jupyter_client's `input()` names no parent, JupyterLab does.
        """
        named = message.parent_header.get("msg_id")
        return (
            not self.answered.is_set()
            and message.header.session == self.asker.session
            and named in {None, self.msg_id}
        )


class Control:
    """Owns the sockets of control and stdin."""

    def __init__(
        self,
        sockets: KernelSockets,
        control: ChannelEnd,
        stdin: ChannelEnd,
        *,
        dispatch: Dispatch,
        publisher: Publisher,
        refusals: Refusals,
        effects: Callable[[Effect], None],
        on_wake: Callable[[bytes], None],
        on_tick: Callable[[], None],
    ) -> None:
        self._sockets = sockets
        self._control = control
        self._stdin = stdin
        self._dispatch = dispatch
        self._publisher = publisher
        self._refusals = refusals
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
            self._sockets.control: self._receive_control,
            self._sockets.stdin: self._receive_stdin,
            self._sockets.subscriptions: self._publisher.welcome,
            self._wake_read: self._woken,
        }
        Watch(sources, tick=self._on_tick).run(lambda: self._ended)

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
            frames = self._stdin.send(
                b"input_request", content, parent=asker.parent, to=asker.identities
            )
            question = Question(asker, frames)
            try:
                self._questions.append(question)
                self.wake()
                question.answered.wait()
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
            if not question.answered.is_set():
                self._open = question
                if not send(self._sockets.stdin, question.frames):
                    question.answer(None)
        self._on_wake(signals)

    def _receive_stdin(self) -> None:
        for frames in receive_some(self._sockets.stdin):
            try:
                message = self._stdin.receive(frames)
            except RemoteProtocolError as problem:
                self._refuse(self._stdin, frames, problem)
                continue
            question = self._open
            if question is None or not question.is_answered_by(message):
                self._stdin.refuse("not asked")
            else:
                self._open = None
                question.answer(message.content.value)

    def _receive_control(self) -> None:
        for frames in receive_some(self._sockets.control):
            try:
                message = self._control.receive(frames)
            except RemoteProtocolError as problem:
                self._refuse(self._control, frames, problem)
            else:
                self._answer(message)

    def _refuse(self, end: ChannelEnd, frames: list[bytes], problem: RemoteProtocolError) -> None:
        socket = self._sockets.control if end is self._control else self._sockets.stdin
        self._refusals.refuse(end, frames, problem, lambda reply: send(socket, reply))

    def _answer(self, message: Message) -> None:
        parent = message.header_frame
        self._publisher.status(BUSY, parent)
        content, effect = self._dispatch.answer(message)
        reply = reply_type(message.header.msg_type)
        frames = self._control.send(reply, content, parent=parent, to=message.identities)
        send(self._sockets.control, frames)
        if effect is Effect.STOP:
            self._publisher.publish(reply, content, parent=parent)
        self._publisher.status(IDLE, parent)
        self._effects(effect)
