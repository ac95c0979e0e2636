"""What is asked for on stdin: `input()`, and the answers of clients."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from minikernel.wire.content import InputReply
from minikernel.wire.message import loads_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.kernel.port import Port
    from minikernel.kernel.request import Asker, Requests
    from minikernel.wire.message import Message
    from minikernel.wire.peer import Peer

NOT_ASKED = "not asked"  # how the ledger counts an answer to no question
# After a restart a client's stdin may find the kernel later than its shell did.
TRIES, TRY_AGAIN = 100, 0.05  # to send a question; seconds between them
END_OF_FILE = "\x04"  # what jupyter_client and jupyter console answer to Ctrl-D


class Question:
    """An input_request that waits for its answer."""

    def __init__(self, asker: Asker, frames: list[bytes]) -> None:
        self.asker = asker
        self.frames = frames
        self.msg_id = loads_header(frames[0])[0].msg_id
        self.asked: str | None = None  # the session; in schemes without, all have one name
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
            fits = named is None or named == self.msg_id
            return fits and message.header.session == self.asker.session
        return message.peer.session == self.asked and named == self.msg_id


class Questions:
    """The questions that wait; all but `ask` is called in the control thread.

    Args:
        port: of stdin.
        requests: know who may be asked.
        wake: has the control thread call `put`.
    """

    def __init__(
        self,
        port: Port,
        requests: Requests,
        wake: Callable[[], object],
    ) -> None:
        self._port = port
        self._requests = requests
        self._connection = port.connection
        self._wake = wake
        self._unsent: deque[Question] = deque()
        self._open: list[Question] = []  # were sent; each of another request
        self._closed = False

    def input(self, prompt: str, *, password: bool) -> str:
        """Ask who has sent the request of this thread or task; see `ask`.

        Raises:
            NotImplementedError: nobody may be asked.
        """
        asker = self._requests.mine().asker
        if asker is None or self._closed:
            raise NotImplementedError("this request does not allow input()")
        return self.ask(asker, prompt, password=password)

    def ask(self, asker: Asker, prompt: str, *, password: bool) -> str:
        """Ask the client whose request it is for a line; from any thread but the control thread.

        Raises:
            EOFError: that client has gone, or says that its input is over.
            KeyboardInterrupt: from the signal handler, while it waits.
        """
        content = {"prompt": prompt, "password": password}
        with asker.lock:
            frames = self._connection.compose(
                self._port.channel, b"input_request", content, parent=asker.parent
            )
            question = Question(asker, frames)
            try:
                self._unsent.append(question)
                self._wake()
                while not question.answered.wait(TRY_AGAIN if question.tries_left else None):
                    self._unsent.append(question)
                    self._wake()
            finally:
                question.answered.set()  # an interrupt closes it: no answer is for it any more
        if question.value is None:
            raise EOFError("the client that asked for this cell can't be asked for input")
        if question.value == END_OF_FILE:
            raise EOFError("the input is over")
        return question.value

    def put(self) -> None:
        """Send those that are new, or found no way."""
        while self._unsent:
            question = self._unsent.popleft()
            if question.tries_left and not question.answered.is_set():
                self._open = [question, *(q for q in self._still_open() if q is not question)]
                self._put(question)

    def close(self) -> None:
        """The kernel ends, and nobody is to wait for an answer."""
        self._closed = True
        for question in self._open:
            question.answer(None)

    def _still_open(self) -> list[Question]:
        return [question for question in self._open if not question.answered.is_set()]

    def close_those_of_who_has_gone(self) -> None:
        """Wake whoever waits for a client that can answer no more."""
        # Its session may have been dropped, or its place taken: then nobody is left to answer.
        for question in self._still_open():
            if self._connection.current(question.asker.peer) is None:
                question.answer(None)

    def _put(self, question: Question) -> None:
        """Put a question to its client, or to the session that took over from it."""
        question.asked = self._connection.current(question.asker.peer)
        sent = self._port.send(question.frames, question.asker.peer)
        question.tries_left = 0 if sent else question.tries_left - 1
        if not sent and (question.tries_left <= 0 or self._connection.traits.sessions):
            question.answer(None)

    def heed(self, message: Message) -> None:
        """Take what came on stdin."""
        if self._connection.is_handshake(message):
            reply = self._connection.shake_hands(self._port.channel, message, busy=False)
            self._port.reply(message, reply.content or {})
            self._ask_again(message.peer)
            return
        for question in self._open:  # an answer that names none is to the last one
            if question.is_answered_by(message):
                question.answer(message.content.value)
                return
        self._port.end.refuse(NOT_ASKED)

    def _ask_again(self, peer: Peer) -> None:
        """A client has shaken hands again: its new session can be asked what the old one was."""
        for question in self._still_open():
            if question.asked != peer.session == self._connection.current(question.asker.peer):
                self._put(question)
