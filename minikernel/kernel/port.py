"""One ROUTER channel of the kernel: its socket, and its end of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.errors import ChallengeError, RemoteProtocolError, UnknownSession
from minikernel.transport import sockets
from minikernel.wire.frames import is_greeting

if TYPE_CHECKING:
    from minikernel.auth.scheme import Peer
    from minikernel.kernel.refusals import Refusals
    from minikernel.protocol.end import ChannelEnd
    from minikernel.transport.sockets import Socket
    from minikernel.wire.message import Message


class Port:
    """Takes and sends whole messages; one thread calls it, the socket's owner.

    Args:
        socket: a ROUTER.
        end: of its channel.
        refusals: counts and logs what is refused.
    """

    def __init__(self, socket: Socket, end: ChannelEnd, refusals: Refusals) -> None:
        self.socket = socket
        self.end = end
        self.sending = False  # half a multipart message would garble the next one
        self._refusals = refusals
        self._kept: list[tuple[list[bytes], Peer]] = []  # there is no way to these peers yet

    def take(self, frames: list[bytes]) -> Message | None:
        """The message in these frames; None if it is refused, or belongs to a handshake."""
        try:
            if is_greeting(frames):
                self._hand_over(self.end.greet(frames))
                return None
            message = self.end.receive(frames)
        except RemoteProtocolError as problem:
            self._refuse(problem)
            if isinstance(problem, ChallengeError) and problem.reply:
                self._hand_over([*frames[:-1], problem.reply])
            return None
        if self._kept:
            self._send_kept()  # the message may have shown the way
        return message

    def send(self, frames: list[bytes], to: Peer) -> bool:
        """Send a message of `ChannelEnd.compose`; False if its receiver has gone."""
        try:
            sealed = self.end.seal(frames, to)
        except UnknownSession:
            return False
        if sealed is None:
            self._kept.append((frames, to))
            return True
        return self._hand_over(sealed)

    def _hand_over(self, frames: list[bytes] | None) -> bool:
        if frames is None:
            return True
        self.sending = True
        try:
            return sockets.send(self.socket, frames)
        finally:
            self.sending = False

    def _send_kept(self) -> None:
        kept, self._kept = self._kept, []
        for frames, to in kept:
            self.send(frames, to)

    def _refuse(self, problem: RemoteProtocolError) -> None:
        """Answer an authentic request with an error, anything else with silence."""
        reply = self._refusals.note(self.end, problem)
        if reply is not None:
            with self._refusals.around(reply):
                frames = self.end.compose(reply.msg_type, reply.content, parent=reply.parent)
                self.send(frames, reply.to)
