"""What the kernel does about each type of request: a function, and its row in `HANDLERS`.

A handler gets the kernel's parts and the message, and returns the content of the reply, or an
`Answer` that says more. It may be a coroutine function. What comes around it, busy, idle and the
reply, is in `perform`.
"""

from __future__ import annotations

import contextlib
import sys
import types
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.interpreter.base import Failure, Outcome
from minikernel.kernel.request import Asker
from minikernel.protocol.marks import asked_by
from minikernel.wire.channels import COMMS, Channel
from minikernel.wire.content import error, ok
from minikernel.wire.message import PROTOCOL_VERSION, dumps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from minikernel.interpreter.base import Engine, LanguageInfo
    from minikernel.kernel.chores import FreeDescriptors
    from minikernel.kernel.comms import Comms
    from minikernel.kernel.publisher import Publisher
    from minikernel.kernel.questions import Questions
    from minikernel.kernel.request import Requests
    from minikernel.kernel.streams import Streams
    from minikernel.protocol.kernel import KernelConnection
    from minikernel.wire.content import (
        CompleteRequest,
        HistoryRequest,
        InspectRequest,
        IsCompleteRequest,
    )
    from minikernel.wire.message import Message

    Content = Mapping[str, Any] | bytes | None  # None: no reply
    Handler = Callable[["Parts", Message], Content | "Answer" | Awaitable[Content | "Answer"]]

USERS = (Exception, KeyboardInterrupt, SystemExit)  # what somebody's code may raise
ABORTED = dumps({"status": "aborted"})


@dataclass(kw_only=True)
class Parts:
    """What handlers use of the kernel."""

    engine: Engine
    info: Mapping[str, Any]  # the content of a kernel_info_reply
    ports: Mapping[str, int]  # of the connection file
    connection: KernelConnection
    descriptors: FreeDescriptors
    requests: Requests
    publisher: Publisher
    streams: Streams
    comms: Comms
    questions: Questions
    interrupt: Callable[[], object]
    stop: Callable[[], object]


class Answer(NamedTuple):
    """A reply, and what goes with it."""

    content: Content
    error: Mapping[str, Any] | None = None  # is published first
    aborts: bool = False  # the cells that wait by now
    is_public: bool = False  # on iopub too
    then: Callable[[], object] | None = None  # is done after idle


@types.coroutine
def aside(work: Callable[[], Any]) -> Generator[Callable[[], Any], Any, Any]:
    """What `work` returns, done in another thread: for handlers of control, which must not wait.

    Raises:
        Exception: what it raises.
    """
    return (yield work)


def failure(problem: BaseException) -> Mapping[str, Any]:
    """An error reply about an exception of the user's."""
    bare = Failure.of(problem)
    return error(bare.ename, bare.evalue)


def of_the_engine(
    handler: Callable[[Engine, Any], Mapping[str, Any]],
) -> Callable[[Parts, Message], Mapping[str, Any]]:
    """A handler of engine and content; its failure, or the user's, is an error reply."""

    @wraps(handler)
    def handle(parts: Parts, message: Message) -> Mapping[str, Any]:
        try:
            return handler(parts.engine, message.content)
        except USERS as problem:
            return failure(problem)

    return handle


async def execute(parts: Parts, message: Message) -> Answer:
    """Run a cell."""
    request, engine, publisher = message.content, parts.engine, parts.publisher
    parts.requests.begin(message.header_frame, _asker(parts, message))
    blank = not request.code or request.code.isspace()
    counted = request.store_history and not request.silent and not blank
    count = engine.execution_count + counted
    engine.begin()
    if not request.silent:
        shown = {"code": request.code, "execution_count": count}
        publisher.publish(b"execute_input", shown, metadata=asked_by(message.peer.client_id))
    try:
        outcome = await engine.execute(
            request.code,
            silent=request.silent,
            store_history=request.store_history,
            user_expressions=request.user_expressions or {},
        )
    except USERS as problem:  # an engine of somebody's own
        outcome = Outcome(failure=Failure.of(problem))
    finally:
        parts.requests.end()
    _flush_users(parts)
    if (failed := outcome.failure) is None:
        content = ok(
            execution_count=engine.execution_count,
            user_expressions=outcome.user_expressions,
            payload=outcome.payload,
        )
        return Answer(content)
    shown = error(failed.ename, failed.evalue, failed.traceback)
    content = {**shown, "execution_count": engine.execution_count, "payload": outcome.payload}
    del shown["status"]
    return Answer(content, error=shown, aborts=request.stop_on_error)


def _flush_users(parts: Parts) -> None:
    """Flush streams that the user has put in the place of ours: theirs is the cell's too."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name, None)
        if stream is not getattr(parts.streams, name):
            with parts.engine.running(), contextlib.suppress(Exception):
                stream.flush()


def _asker(parts: Parts, message: Message) -> Asker | None:
    """Who may be asked for input; None: nobody may, or not this client, so none waits."""
    peer = message.peer
    if not (message.content.allow_stdin and parts.connection.may(peer, "input_reply")):
        return None
    return Asker(message.header.session, peer, message.header_frame)


def aborted(_parts: Parts, _message: Message) -> bytes:
    """Leave out a cell that was sent before one failed."""
    return ABORTED


def comm(parts: Parts, message: Message) -> None:
    """Pass a comm message on."""
    parts.requests.begin(message.header_frame)
    with parts.engine.running():
        parts.comms.handle(message)


@of_the_engine
def complete(engine: Engine, request: CompleteRequest) -> Mapping[str, Any]:
    """Say what could complete the code at the cursor."""
    found = engine.complete(request.code, _cursor(request))
    types_ = [
        {"start": found.start, "end": found.end, "text": text, "type": kind}
        for text, kind in zip(found.matches, found.types, strict=False)
    ]
    return ok(
        matches=found.matches,
        cursor_start=found.start,
        cursor_end=found.end,
        metadata={"_jupyter_types_experimental": types_} if types_ else {},
    )


@of_the_engine
def inspect(engine: Engine, request: InspectRequest) -> Mapping[str, Any]:
    """Describe the name at the cursor."""
    data = engine.inspect(request.code, _cursor(request), request.detail_level)
    return ok(found=data is not None, data=data or {}, metadata={})


def _cursor(request: CompleteRequest | InspectRequest) -> int:
    """The cursor, at the end of the code if the request names none or a wrong one."""
    end = len(request.code)
    return end if request.cursor_pos is None else max(0, min(request.cursor_pos, end))


@of_the_engine
def is_complete(engine: Engine, request: IsCompleteRequest) -> Mapping[str, Any]:
    """Say whether code can run as it is."""
    status, indent = engine.is_complete(request.code)
    return {"status": status, "indent": indent} if status == "incomplete" else {"status": status}


@of_the_engine
def history(engine: Engine, request: HistoryRequest) -> Mapping[str, Any]:
    """Look for past cells."""
    past = engine.history(
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


def comm_info(parts: Parts, message: Message) -> Mapping[str, Any]:
    """Name the open comms."""
    try:
        return ok(comms=parts.comms.info(message.content.target_name))
    except USERS as problem:
        return failure(problem)


def describe(info: LanguageInfo) -> Mapping[str, Any]:
    """The content of a kernel_info_reply."""
    return ok(
        protocol_version=PROTOCOL_VERSION,
        implementation=info.implementation,
        implementation_version=info.implementation_version,
        language_info={
            "name": info.name,
            "version": info.version,
            "mimetype": info.mimetype,
            "file_extension": info.file_extension,
            "pygments_lexer": info.pygments_lexer,
            "codemirror_mode": info.codemirror_mode,
            "nbconvert_exporter": info.name,
        },
        banner=info.banner,
        debugger=False,
        help_links=list(info.help_links),
        supported_features=[],
    )


def kernel_info(parts: Parts, _message: Message) -> Mapping[str, Any]:
    """Say what this kernel is."""
    return parts.info


def connect(parts: Parts, _message: Message) -> Mapping[str, Any]:
    """Name the ports."""
    return ok(**parts.ports)


def auth_status(parts: Parts, message: Message) -> Mapping[str, Any]:
    """Show the ledgers of all channels."""
    return ok(
        channels=parts.connection.ledger(message.peer), free_descriptors=parts.descriptors.count
    )


def interrupt(parts: Parts, _message: Message) -> Mapping[str, Any]:
    """End the running cell; once that is answered, nothing that comes later is meant."""
    parts.interrupt()
    return ok()


def shutdown(parts: Parts, message: Message) -> Answer:
    """End the kernel, and let all know."""
    return Answer(ok(restart=message.content.restart), is_public=True, then=parts.stop)


def shaking_hands(channel: Channel) -> Handler:
    """A handler of what belongs to a handshake on this channel, where the scheme has one."""

    def shake_hands(parts: Parts, message: Message) -> Content | Answer:
        reply = parts.connection.shake_hands(channel, message, busy=parts.requests.busy)
        if reply.content is None:
            parts.questions.close_those_of_who_has_gone()
        welcome = parts.publisher.welcome_client if reply.welcome else None
        return Answer(reply.content, then=welcome)

    return shake_hands


def unknown(_parts: Parts, message: Message) -> Mapping[str, Any]:
    """Answer a type that has no row."""
    return error("UnknownRequest", f"this kernel does not answer a {message.header.msg_type}")


_ON_BOTH: dict[str, Handler] = {  # `wire.channels` says what may come where
    "kernel_info_request": kernel_info,
    "connect_request": connect,
    "auth_status_request": auth_status,
    "interrupt_request": interrupt,
    "shutdown_request": shutdown,
}
HANDLERS: dict[tuple[Channel, str], Handler] = {
    **{(Channel.SHELL, msg_type): handler for msg_type, handler in _ON_BOTH.items()},
    **{(Channel.CONTROL, msg_type): handler for msg_type, handler in _ON_BOTH.items()},
    **{(Channel.SHELL, msg_type): comm for msg_type in COMMS},
    (Channel.SHELL, "execute_request"): execute,
    (Channel.SHELL, "complete_request"): complete,
    (Channel.SHELL, "inspect_request"): inspect,
    (Channel.SHELL, "is_complete_request"): is_complete,
    (Channel.SHELL, "history_request"): history,
    (Channel.SHELL, "comm_info_request"): comm_info,
}
