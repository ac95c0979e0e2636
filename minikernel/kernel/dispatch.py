"""What a kernel answers, and what else is to happen: no sockets, no engine, no clock."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.wire.content import error, ok, reply_type
from minikernel.wire.message import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minikernel.errors import ContentError
    from minikernel.interpreter.base import LanguageInfo
    from minikernel.protocol.end import ChannelEnd
    from minikernel.wire.message import Message


class Effect(enum.Enum):
    """What a request asks for beside its reply."""

    NONE = "none"
    INTERRUPT = "interrupt"
    STOP = "stop"


class Answer(NamedTuple):
    """A reply's content, and what is to happen once it has been sent."""

    content: Mapping[str, Any]
    effect: Effect = Effect.NONE


class ErrorReply(NamedTuple):
    """The reply to a request that was authentic, and refused for what it says."""

    msg_type: bytes
    content: dict[str, Any]
    parent: bytes


def error_reply(problem: ContentError) -> ErrorReply | None:
    """The reply to a malformed request; None if it is not known to be a request."""
    msg_type = problem.msg_type
    if not isinstance(msg_type, str) or not msg_type.endswith("_request"):
        return None
    content = error(type(problem).__name__, str(problem))
    return ErrorReply(reply_type(msg_type), content, problem.header)


class Dispatch:
    """Answers the requests that need no engine.

    Args:
        info: about the language engine.
        ports: of the connection file.
        ends: all channels of the kernel, for auth_status.
    """

    def __init__(
        self, info: LanguageInfo, ports: Mapping[str, int], ends: Iterable[ChannelEnd]
    ) -> None:
        self._kernel_info = kernel_info(info)
        self._ports = ports
        self._ends = list(ends)

    def answer(self, message: Message) -> Answer:
        """The answer to a request on control, or to one on shell that no engine handles."""
        msg_type = message.header.msg_type
        if msg_type == "kernel_info_request":
            return Answer(self._kernel_info)
        if msg_type == "shutdown_request":
            return Answer(ok(restart=message.content.restart), Effect.STOP)
        if msg_type == "interrupt_request":
            return Answer(ok(), Effect.INTERRUPT)
        if msg_type == "connect_request":
            return Answer(ok(**self._ports))
        if msg_type == "auth_status_request":
            return Answer(ok(channels={end.channel.value: tally(end) for end in self._ends}))
        return Answer(error("UnknownRequest", f"this kernel does not answer a {msg_type}"))


def tally(end: ChannelEnd) -> dict[str, Any]:
    """What one channel counted, as an auth_status_reply says it."""
    counted = end.tally
    return {
        "sent": counted.sent,
        "verified": counted.verified,
        "rejected": dict(counted.rejected),
    }


def kernel_info(info: LanguageInfo) -> Mapping[str, Any]:
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
