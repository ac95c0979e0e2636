"""What a kernel answers, and what else is to happen: no sockets, no engine, no clock."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.errors import PermissionDenied, TooManySessions
from minikernel.wire.content import error, ok, reply_type
from minikernel.wire.message import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minikernel.auth.scheme import Peer
    from minikernel.errors import ContentError
    from minikernel.interpreter.base import LanguageInfo
    from minikernel.protocol.end import ChannelEnd
    from minikernel.protocol.heartbeat import HeartbeatEnd
    from minikernel.wire.channels import Channel
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
    to: Peer
    quiet: bool  # no busy and no idle around it


def error_reply(problem: ContentError) -> ErrorReply | None:
    """The reply to a malformed request; None if it is not known to be a request."""
    msg_type, peer = problem.msg_type, problem.peer
    if peer is None or not isinstance(msg_type, str) or not msg_type.endswith("_request"):
        return None
    content = error(problem.ename, str(problem))
    quiet = isinstance(problem, (PermissionDenied, TooManySessions))
    return ErrorReply(reply_type(msg_type), content, problem.header, peer, quiet)


class Dispatch:
    """Answers the requests that need no engine.

    Args:
        info: about the language engine.
        ports: of the connection file.
        ends: all channels of the kernel, for auth_status.
        gaps: messages that are missing, by channel, likewise.
    """

    def __init__(
        self,
        info: LanguageInfo,
        ports: Mapping[str, int],
        ends: Iterable[ChannelEnd | HeartbeatEnd],
        gaps: Mapping[Channel, int],
    ) -> None:
        self._kernel_info = kernel_info(info)
        self._ports = ports
        self._ends = list(ends)
        self._gaps = gaps

    def answer(self, message: Message) -> Answer:
        """The answer to a request on control, or to one on shell that no engine handles."""
        msg_type = message.header.msg_type
        if msg_type == "shutdown_request":
            return Answer(ok(restart=message.content.restart), Effect.STOP)
        if msg_type == "interrupt_request":
            return Answer(ok(), Effect.INTERRUPT)
        return Answer(self._content(msg_type, message.peer))

    def _content(self, msg_type: str, peer: Peer) -> Mapping[str, Any]:
        if msg_type == "kernel_info_request":
            return self._kernel_info
        if msg_type == "connect_request":
            return ok(**self._ports)
        if msg_type == "auth_status_request":
            return ok(channels={end.channel.value: self._tally(end) for end in self._ends})
        if msg_type == "bind_request" and peer.session is not None:
            return ok()
        return error("UnknownRequest", f"this kernel does not answer a {msg_type}")

    def _tally(self, end: ChannelEnd | HeartbeatEnd) -> dict[str, Any]:
        """What one channel counted; totals only, of all clients (channel-hmac, section 2)."""
        counted = end.tally
        return {
            "sent": counted.sent,
            "verified": counted.verified,
            "rejected": dict(counted.rejected),
            "gaps": self._gaps.get(end.channel, 0),
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
