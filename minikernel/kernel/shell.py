"""Requests on shell, one after the other, in the main thread."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.base import Failure, Outcome
from minikernel.kernel.control import Asker
from minikernel.kernel.dispatch import Answer, Effect
from minikernel.kernel.port import Port
from minikernel.transport.sockets import REQUEST_QUEUE, receive, receive_nowait
from minikernel.wire.channels import COMMS
from minikernel.wire.content import BUSY, IDLE, error, ok, reply_type
from minikernel.wire.message import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minikernel.interpreter.base import Engine
    from minikernel.kernel.comms import Comms
    from minikernel.kernel.dispatch import Dispatch
    from minikernel.kernel.publisher import Publisher
    from minikernel.kernel.refusals import Refusals
    from minikernel.kernel.streams import Streams
    from minikernel.protocol.end import ChannelEnd
    from minikernel.transport.sockets import KernelSockets
    from minikernel.wire.content import (
        CommInfoRequest,
        CompleteRequest,
        ExecuteRequest,
        HistoryRequest,
        InspectRequest,
        IsCompleteRequest,
    )
    from minikernel.wire.message import Message

    Handler = Callable[[Any], Mapping[str, Any]]  # takes the content

MOMENT = 10  # ms for messages on their way
MOST_ABORTED = 10_000  # messages; who sends more has the rest run
USERS = (Exception, KeyboardInterrupt, SystemExit)  # what somebody's code may raise
ABORTED = dumps({"status": "aborted"})


class Shell:
    """Owns the shell socket and the language engine."""

    def __init__(
        self,
        sockets: KernelSockets,
        end: ChannelEnd,
        engine: Engine,
        *,
        dispatch: Dispatch,
        publisher: Publisher,
        refusals: Refusals,
        streams: Streams,
        comms: Comms,
        effects: Callable[[Effect], None],
    ) -> None:
        self.asker: Asker | None = None  # None: the running request does not allow stdin
        self.busy = False  # with a request, or some that are queued
        self._port = Port(sockets.shell, end, refusals)
        self._engine = engine
        self._dispatch = dispatch
        self._publisher = publisher
        self._streams = streams
        self._comms = comms
        self._effects = effects
        self._handlers: dict[str, Handler] = {
            "complete_request": self._complete,
            "inspect_request": self._inspect,
            "is_complete_request": self._is_complete,
            "history_request": self._history,
            "comm_info_request": self._comm_info,
        }

    @property
    def descriptor(self) -> int:
        """Becomes readable when something has happened to the socket."""
        return self._port.socket.fileno()

    @property
    def sending(self) -> bool:
        """Whether a message is half sent."""
        return self._port.sending

    def wait(self) -> list[bytes]:
        """The frames of the next message."""
        return receive(self._port.socket)

    def next(self) -> list[bytes] | None:
        """The frames of the next message if one has come."""
        return receive_nowait(self._port.socket)

    async def handle(self, frames: list[bytes]) -> None:
        """Verify one message and do what it asks."""
        message = self._port.take(frames)
        if message is not None:
            self.busy = True
            await self._perform(message)
            self.busy = False

    async def _perform(self, message: Message) -> None:
        msg_type = message.header.msg_type
        if msg_type == "execute_request":
            self._publisher.wait_for_subscriber()
        self._publisher.status(BUSY, message.header_frame)
        try:
            if msg_type == "execute_request":
                await self._execute(message)
            elif msg_type in COMMS:
                self._comm(message)
            else:
                self._answer(message)
        finally:
            self._publisher.status(IDLE, message.header_frame)
        if self._publisher.forked:
            os._exit(0)  # a child that user code forked off, and left

    def _reply(self, message: Message, content: Mapping[str, Any] | bytes) -> None:
        compose = partial(self._port.end.compose, reply_type(message.header.msg_type))
        try:
            frames = compose(content, parent=message.header_frame)
        except USERS as problem:
            frames = compose(_failure(problem), parent=message.header_frame)
        self._port.send(frames, message.peer)

    async def _execute(self, message: Message) -> None:
        request: ExecuteRequest = message.content
        engine, parent = self._engine, message.header_frame
        self._publisher.parent = parent
        self.asker = self._asker(message)
        blank = not request.code or request.code.isspace()
        counted = request.store_history and not request.silent and not blank
        count = engine.execution_count + counted
        engine.begin()
        if not request.silent:
            shown = {"code": request.code, "execution_count": count}
            self._publisher.publish(b"execute_input", shown)
        try:
            outcome = await engine.execute(
                request.code,
                silent=request.silent,
                store_history=request.store_history,
                user_expressions=request.user_expressions or {},
            )
        except USERS as problem:  # an engine of somebody's own
            outcome = Outcome(failure=Failure.of(problem))
        self.asker = None
        self._streams.flush()
        if self._publisher.forked:
            os._exit(outcome.failure is not None)  # a child that the cell forked off, and left
        if (failure := outcome.failure) is None:
            self._reply(
                message,
                ok(
                    execution_count=engine.execution_count,
                    user_expressions=outcome.user_expressions,
                    payload=outcome.payload,
                ),
            )
            return
        content = error(failure.ename, failure.evalue, failure.traceback)
        self._publisher.publish(b"error", {k: v for k, v in content.items() if k != "status"})
        count = engine.execution_count
        # What has come by now was sent before anybody could know of the error.
        queued = self._queued() if request.stop_on_error else []
        self._reply(message, {**content, "execution_count": count, "payload": outcome.payload})
        await self._abort(queued)

    def _asker(self, message: Message) -> Asker | None:
        """Who may be asked for input; None: nobody may, or not this client, so none waits."""
        allowed = self._port.end.permits(message.peer, "input_reply", message.header.session)
        if not (message.content.allow_stdin and allowed):
            return None
        return Asker(message.header.session, message.peer, message.header_frame)

    def _queued(self) -> list[Message]:
        """The messages that wait; behind a full queue there may be more on their way."""
        queued: list[Message] = []
        for turn in range(MOST_ABORTED):
            if not self._port.socket.poll(MOMENT if turn > REQUEST_QUEUE // 2 else 0):
                break
            message = self._port.take(self.wait())
            if message is not None:
                queued.append(message)
        return queued

    async def _abort(self, queued: list[Message]) -> None:
        """Abort the cells among these messages, and answer the others."""
        for message in queued:
            if message.header.msg_type == "execute_request":
                self._publisher.status(BUSY, message.header_frame)
                self._reply(message, ABORTED)
                self._publisher.status(IDLE, message.header_frame)
            else:
                await self._perform(message)

    def _comm(self, message: Message) -> None:
        self._publisher.parent = message.header_frame
        with self._engine.running():
            self._comms.handle(message)
        self._streams.flush()

    def _answer(self, message: Message) -> None:
        handler = self._handlers.get(message.header.msg_type)
        answer = (
            self._dispatch.answer(message) if handler is None else self._handled(handler, message)
        )
        self._streams.flush()
        self._reply(message, answer.content)
        if answer.effect is Effect.STOP:
            msg_type = reply_type(message.header.msg_type)
            self._publisher.publish(msg_type, answer.content, parent=message.header_frame)
        self._effects(answer.effect)

    def _handled(self, handler: Handler, message: Message) -> Answer:
        """What an engine's handler says; its failure, or the user's, is an error reply."""
        try:
            return Answer(handler(message.content))
        except USERS as problem:
            return Answer(_failure(problem))

    def _complete(self, request: CompleteRequest) -> Mapping[str, Any]:
        found = self._engine.complete(request.code, _cursor(request))
        types = [
            {"start": found.start, "end": found.end, "text": text, "type": kind}
            for text, kind in zip(found.matches, found.types, strict=False)
        ]
        return ok(
            matches=found.matches,
            cursor_start=found.start,
            cursor_end=found.end,
            metadata={"_jupyter_types_experimental": types} if types else {},
        )

    def _inspect(self, request: InspectRequest) -> Mapping[str, Any]:
        data = self._engine.inspect(request.code, _cursor(request), request.detail_level)
        return ok(found=data is not None, data=data or {}, metadata={})

    def _is_complete(self, request: IsCompleteRequest) -> Mapping[str, Any]:
        status, indent = self._engine.is_complete(request.code)
        return (
            {"status": status, "indent": indent} if status == "incomplete" else {"status": status}
        )

    def _history(self, request: HistoryRequest) -> Mapping[str, Any]:
        past = self._engine.history(
            request.hist_access_type,
            output=request.output,
            session=request.session or 0,
            start=request.start or 0,
            stop=request.stop,
            n=request.n,
            pattern=request.pattern or "*",
            unique=request.unique,
        )
        return ok(history=past)

    def _comm_info(self, request: CommInfoRequest) -> Mapping[str, Any]:
        return ok(comms=self._comms.info(request.target_name))


def _failure(problem: BaseException) -> Mapping[str, Any]:
    """An error reply about an exception of the user's."""
    bare = Failure.of(problem)
    return error(bare.ename, bare.evalue)


def _cursor(request: CompleteRequest | InspectRequest) -> int:
    """The cursor, at the end of the code if the request names none or a wrong one."""
    end = len(request.code)
    return end if request.cursor_pos is None else max(0, min(request.cursor_pos, end))
