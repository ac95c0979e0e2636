"""The end of the bridge where clients are: this end is a kernel to them."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from minikernel.errors import ContentError, InternalError, RemoteProtocolError, RequestIdTaken
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import KernelConnection, error_reply
from minikernel.transport.birth import started
from minikernel.transport.clock import Clock
from minikernel.transport.sockets import MAX_MESSAGE, Inbox, send, uncopied
from minikernel.wire.channels import Channel
from minikernel.wire.content import BUSY, IDLE, REQUESTS, reply_type
from minikernel.wire.message import HeaderFactory
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.auth.scheme import KernelSide
    from minikernel.auth.spec import Traits
    from minikernel.transport.log import Log
    from minikernel.transport.sockets import KernelSockets
    from minikernel.wire.message import Message
    from minikernel.wire.peer import Peer


def make_connection(scheme: KernelSide, traits: Traits, session: str | None) -> KernelConnection:
    """A kernel's side, with what is checked beyond the signature.

    Args:
        scheme: signs and verifies.
        traits: of the scheme.
        session: `header.session` of what the kernel behind says, so that nothing of it comes back
            as a request; None: it has none of its own.
    """
    own = session or os.urandom(16).hex()
    # Which type may come on which channel is said by the other end, `wire.channels.may_pass`.
    guards = Guards(own_session=own, channel_table=False, started=started())
    headers = HeaderFactory(own, os.urandom(4).hex(), os.environ.get("USER", ""), _date)
    return KernelConnection(
        scheme,
        traits,
        headers,
        guards=guards,
        contents=REQUESTS,
        now=time.time,
        clock=Clock.monotonic,
    )


def _date() -> bytes:
    return msgspec.json.encode(datetime.now(timezone.utc))


class Front:
    """Takes what clients say, and sends them what the kernel says.

    Args:
        sockets: bound.
        connection: the kernel's side of all channels.
        log: told what is refused.
    """

    def __init__(self, sockets: KernelSockets, connection: KernelConnection, log: Log) -> None:
        self.sockets = {
            Channel.SHELL: sockets.shell,
            Channel.CONTROL: sockets.control,
            Channel.STDIN: sockets.stdin,
            Channel.IOPUB: sockets.iopub,
            Channel.HEARTBEAT: sockets.heartbeat,
        }
        self.inboxes = {c: Inbox(s, MAX_MESSAGE[c]) for c, s in self.sockets.items()}
        self._connection = connection
        self._iopub = connection.ends[Channel.IOPUB]
        self._log = log

    def take(self, channel: Channel, frames: list[bytes]) -> Message | None:
        """The message in these frames; None if it is refused."""
        try:
            return self._connection.take(channel, frames)
        except RemoteProtocolError as problem:
            self._answer(channel, problem)
            return None

    def refuse(self, channel: Channel, message: Message, problem: Exception) -> None:
        """Count and answer a message that has verified, and is not passed on."""
        error = problem
        if not isinstance(error, ContentError):
            error = InternalError(problem)
        error.peer, error.msg_type = message.peer, message.header.msg_type
        error.header, error.claimed = message.header_frame, True
        self._connection.ends[channel].refuse(error.reason)
        self._answer(channel, error)

    def _answer(self, channel: Channel, problem: RemoteProtocolError) -> None:
        """Log a refusal; an authentic request gets an error, all else silence."""
        end = self._connection.ends[channel]
        total = sum(end.tally.rejected.values())
        what = f"refused, {problem.reason}"
        if isinstance(problem, InternalError):
            what = f"{problem.reason}, {problem}"
        self._log.line(f"{channel.value}: {what}; {total} so far")
        reply = error_reply(problem)
        if reply is not None:
            frames = end.compose(reply.msg_type, reply.content, parent=reply.parent)
            # Its idle would end another client's request.
            quiet = isinstance(problem, RequestIdTaken)
            self._say(channel, frames, reply.to, reply.parent, quiet=quiet)

    def reply(self, channel: Channel, message: Message, content: Mapping[str, object]) -> None:
        """Answer a request ourselves, as a kernel would."""
        parent = message.header_frame
        msg_type = reply_type(message.header.msg_type)
        frames = self._connection.compose(channel, msg_type, content, parent=parent)
        self._say(channel, frames, message.peer, parent)

    def _say(
        self, channel: Channel, frames: list[bytes], to: Peer, parent: bytes, *, quiet: bool = False
    ) -> None:
        """Send a reply of our own, busy and idle around it."""
        if not quiet:
            self.publish(b"status", BUSY, parent=parent)
        self.send(channel, frames, to)
        if not quiet:
            self.publish(b"status", IDLE, parent=parent)

    def send(self, channel: Channel, frames: list[bytes], to: Peer) -> None:
        """Send a message to one client, under our signature."""
        self._connection.send(channel, frames, to)
        for sealed in self._connection.to_send(channel):
            send(self.sockets[channel], uncopied(sealed))

    def publish(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, object],
        *,
        parent: bytes,
        topic: bytes | None = None,
    ) -> None:
        """Publish a message of our own, for all subscribers or those of a topic."""
        frames = self._iopub.compose(msg_type, content, parent=parent)
        self.pass_on(frames, (msg_type if topic is None else topic,))

    def pass_on(self, frames: list[bytes], topic: tuple[bytes, ...]) -> None:
        """Publish a message, under our signature."""
        sealed = self._iopub.seal(frames, Address(topic))
        if sealed is not None:
            send(self.sockets[Channel.IOPUB], uncopied(sealed))
