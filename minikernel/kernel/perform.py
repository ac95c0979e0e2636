"""One request of shell or control: busy, its handler, the reply, idle."""

from __future__ import annotations

import os
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from minikernel.kernel import fork, handlers
from minikernel.kernel.handlers import HANDLERS, USERS, Answer
from minikernel.protocol.kernel import is_announced
from minikernel.wire.content import BUSY, IDLE, reply_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.kernel.handlers import Handler, Parts
    from minikernel.kernel.port import Port
    from minikernel.wire.message import Message

OURS = (Exception, KeyboardInterrupt)  # what costs one message: a bug here, or a signal handler's


def _nothing() -> tuple[()]:
    return ()


class Performer:
    """Does what the requests of one channel ask for.

    Args:
        port: of the channel.
        parts: what handlers use.
        settle: publishes what a handler has printed, before the reply.
        done: called before idle, since a handler may have run code of the user's.
        waiting: the requests that wait behind one that failed.
    """

    def __init__(
        self,
        port: Port,
        parts: Parts,
        *,
        settle: Callable[[], object] = _nothing,
        done: Callable[[], object] = _nothing,
        waiting: Callable[[], Sequence[Message]] = _nothing,
    ) -> None:
        self._port = port
        self._parts = parts
        self._publisher = parts.publisher
        self._channel = port.channel
        self._shake_hands = handlers.shaking_hands(port.channel)
        self._settle = settle
        self._done = done
        self._waiting = waiting

    async def perform(self, message: Message, handler: Handler | None = None) -> None:
        """What a message brings about in our own code costs that message, and nothing else.

        Args:
            message: has verified.
            handler: does it; None: that of the table.
        """
        if handler is None:
            handler = HANDLERS.get((self._channel, message.header.msg_type))
        if handler is None:
            is_handshake = self._port.connection.is_handshake(message)
            handler = self._shake_hands if is_handshake else handlers.unknown
        try:
            await self._perform(message, handler)
        except OURS as problem:
            if fork.happened():
                os._exit(1)
            self._port.fail(message, problem)

    async def _perform(self, message: Message, handler: Handler) -> None:
        if handler is handlers.execute:
            self._publisher.wait_for_subscriber()
        announced = is_announced(message)
        if announced:
            self._publisher.status(BUSY, message.header_frame)
        try:
            then = await self._answer(message, handler)
        finally:
            if announced:
                self._publisher.status(IDLE, message.header_frame)
        if then is not None:
            then()

    async def _answer(self, message: Message, handler: Handler) -> Callable[[], object] | None:
        try:
            answer: Any = handler(self._parts, message)
            if isinstance(answer, CoroutineType):
                answer = await answer
            if not isinstance(answer, Answer):
                answer = Answer(answer)
            self._settle()
            if fork.happened():
                os._exit(answer.error is not None)  # a child that user code forked off, and left
            if answer.error is not None:
                self._publisher.publish(b"error", answer.error, parent=message.header_frame)
            waiting = self._waiting() if answer.aborts else ()
            if answer.content is not None:
                self._reply(message, answer.content)
            if answer.is_public:
                msg_type = reply_type(message.header.msg_type)
                self._publisher.publish(msg_type, answer.content, parent=message.header_frame)
            for other in waiting:
                runs = other.header.msg_type == "execute_request"
                await self.perform(other, handlers.aborted if runs else None)
        finally:
            if not fork.happened():
                self._done()
        return answer.then  # type: ignore[no-any-return] # an Answer's

    def _reply(self, message: Message, content: Mapping[str, Any] | bytes) -> None:
        try:
            self._port.reply(message, content)
        except USERS as problem:  # there is no JSON for it
            if self._port.answered is message:
                raise
            self._port.reply(message, handlers.failure(problem))
