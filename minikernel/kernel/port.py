"""One ROUTER channel of the kernel: its socket, and its part of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.errors import RemoteProtocolError, internal
from minikernel.transport import sockets
from minikernel.wire.content import reply_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.kernel.refusals import Refusals
    from minikernel.protocol.kernel import KernelConnection
    from minikernel.transport.sockets import Socket
    from minikernel.wire.channels import Channel
    from minikernel.wire.message import Message
    from minikernel.wire.peer import Peer


class Port:
    """Takes and sends whole messages; one thread calls it, the socket's owner.

    Args:
        socket: a ROUTER.
        connection: the kernel's side of all channels.
        channel: of the socket.
        refusals: counts and logs what is refused.
    """

    def __init__(
        self, socket: Socket, connection: KernelConnection, channel: Channel, refusals: Refusals
    ) -> None:
        self.socket = socket
        self.connection = connection
        self.channel = channel
        self.inbox = sockets.Inbox(socket, sockets.MAX_MESSAGE[channel])
        self.end = connection.ends[channel]
        self.sending = False  # half a multipart message would garble the next one
        self._refusals = refusals
        self.answered: Message | None = None  # the last request that got a reply

    def take(self, frames: list[bytes]) -> Message | None:
        """The message in these frames; None if it is refused, or belongs to a handshake."""
        try:
            message = self.connection.take(self.channel, frames)
        except RemoteProtocolError as problem:
            self._refuse(problem)
            message = None
        self._hand_over()
        return message

    def fail(self, message: Message | None, problem: BaseException) -> None:
        """Our own code has failed over a message: it is counted, logged, and answered.

        Args:
            message: None: it did not come as far as to verify, or it was no message.
            problem: what was raised.
        """
        if message is None:
            self._refusals.note(self.end, self.end.refused(problem))
            return
        header = message.header
        error = internal(problem, message.peer, header.msg_type, message.header_frame)
        self.end.refuse(error.reason)
        reply = self._refusals.note(self.end, error)
        if reply is not None and self.answered is not message:
            self.reply(message, reply.content)

    def reply(self, message: Message, content: Mapping[str, object] | bytes) -> None:
        """Answer a request."""
        msg_type = reply_type(message.header.msg_type)
        frames = self.connection.compose(
            self.channel, msg_type, content, parent=message.header_frame
        )
        self.answered = message
        self.send(frames, message.peer)

    def send(self, frames: list[bytes], to: Peer) -> bool:
        """Send a message of `KernelConnection.compose`; False if its receiver has gone."""
        return self.connection.send(self.channel, frames, to) and self._hand_over()

    def _hand_over(self) -> bool:
        """Send what there is to send; False if libzmq knows no way for the last one."""
        sent = True
        for frames in self.connection.to_send(self.channel):
            self.sending = True
            try:
                sent = sockets.send(self.socket, frames)
            finally:
                self.sending = False
        return sent

    def _refuse(self, problem: RemoteProtocolError) -> None:
        """Answer an authentic request with an error, anything else with silence."""
        reply = self._refusals.note(self.end, problem)
        if reply is not None:
            with self._refusals.around(reply):
                self.send(
                    self.end.compose(reply.msg_type, reply.content, parent=reply.parent), reply.to
                )
