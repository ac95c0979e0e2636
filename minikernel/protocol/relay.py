"""A client's side of a kernel, on behalf of the clients of another connection; without sockets.

Frames are passed on byte for byte, under another signature. A reply and a question find their way
back by the msg_id in their parent_header, which belongs to the first who used it, until it has its
reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.errors import ContentError, LocalProtocolError, RequestIdTaken
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.wire.channels import COMMS, INTERRUPT, Channel, Role, may_pass
from minikernel.wire.frames import JSON_FRAMES
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.auth.scheme import ClientSide
    from minikernel.protocol.end import Tally
    from minikernel.wire.message import HeaderFactory, Message
    from minikernel.wire.peer import Peer, Route

RELAYED = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)
KERNEL = Address(())


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who has used a msg_id, and where."""

    channel: Channel  # on which it came
    via: Channel  # on which it went on, and its reply comes
    peer: Peer
    session: str  # header.session

    def is_of(self, other: Claim) -> bool:
        """Whether both are of one client."""
        return (self.peer.route, self.session) == (other.peer.route, other.session)


class Passed(NamedTuple):
    """A message of the kernel that has verified."""

    message: Message
    channel: Channel  # on which it goes on
    to: Peer | None  # who gets it; None: all subscribers
    own: bool  # it answers a request of our own, and is for nobody else


class RelayConnection:
    """The side of a client that speaks for others.

    Args:
        scheme: signs and verifies, what is between here and the kernel.
        headers: makes the headers of our own requests.
        session: `header.session` of those.
    """

    def __init__(self, scheme: ClientSide, headers: HeaderFactory, session: str) -> None:
        self._session = session
        self._ends = {
            channel: ChannelEnd(
                channel,
                Role.CLIENT,
                scheme,
                headers,
                guards=Guards(buffers=False),  # their receiver looks at them
                opaque=True,
            )
            for channel in RELAYED
        }
        self._claims: dict[str, Claim] = {}  # by msg_id
        self._questions: dict[Route, list[str]] = {}  # msg_ids of cells that wait for an answer

    # To the kernel.

    def ask(self, channel: Channel, msg_type: bytes, content: Mapping[str, Any]) -> list[bytes]:
        """The frames of a request of our own; its answers are `Passed.own`."""
        end = self._ends[channel]
        return self._sealed(end, end.compose(msg_type, content))

    def forward(self, channel: Channel, message: Message) -> tuple[Channel, list[bytes]]:
        """What to send to the kernel, and on which channel, for a client's message.

        Raises:
            RequestIdTaken: another client's request has its msg_id, and is not answered yet.
            ContentError: it does not belong on its channel, or answers a question that was not
                asked.
        """
        msg_type = message.header.msg_type
        if not may_pass(channel, msg_type):
            raise ContentError(f"a message of this type does not belong on {channel.value}")
        via = Channel.CONTROL if msg_type == INTERRUPT else channel
        if channel is Channel.STDIN:
            self._settle(message.peer.route)
        else:
            self._claim(channel, via, message)
        return via, self._sealed(self._ends[via], message.frames)

    def _sealed(self, end: ChannelEnd, frames: list[bytes]) -> list[bytes]:
        sealed = end.seal(frames, KERNEL)
        if sealed is None:
            raise LocalProtocolError("this scheme shakes hands, and nobody has")
        return sealed

    def _claim(self, channel: Channel, via: Channel, message: Message) -> None:
        header = message.header
        claim = Claim(channel=channel, via=via, peer=message.peer, session=header.session)
        if not self._claims.setdefault(header.msg_id, claim).is_of(claim):
            raise RequestIdTaken("a request of another client has this msg_id, and is not answered")

    def _settle(self, route: Route) -> None:
        asked = self._questions.get(route)
        if not asked:
            raise ContentError("an answer to a question that this client was not asked")
        del asked[0]
        if not asked:
            del self._questions[route]

    # From the kernel.

    def take(self, channel: Channel, frames: list[bytes]) -> Passed:
        """Take a multipart message that has come from the kernel.

        Raises:
            RemoteProtocolError: it does not verify, or answers nothing that was asked.
        """
        end = self._ends[channel]
        message = end.receive(frames)
        msg_id = _parent(message)
        claim = self._claims.get(msg_id)
        own = message.parent_header.get("session") == self._session
        if channel is Channel.IOPUB:
            if claim is not None and _ends_comm(message):
                self._release(msg_id, claim)
            return Passed(message, channel, None, own)
        if own and channel is not Channel.STDIN:
            return Passed(message, channel, None, own)
        if claim is None or channel not in {claim.via, Channel.STDIN}:
            problem = ContentError("it answers no request")
            end.refuse(problem.reason)
            raise problem
        if channel is Channel.STDIN:
            self._questions.setdefault(claim.peer.route, []).append(msg_id)
            return Passed(message, channel, claim.peer, own)
        self._release(msg_id, claim)
        return Passed(message, claim.channel, claim.peer, own)

    def _release(self, msg_id: str, claim: Claim) -> None:
        del self._claims[msg_id]
        asked = self._questions.get(claim.peer.route)
        if asked is not None and msg_id in asked:
            left = [other for other in asked if other != msg_id]
            if left:
                self._questions[claim.peer.route] = left
            else:
                del self._questions[claim.peer.route]

    @property
    def tallies(self) -> dict[Channel, Tally]:
        """What each channel counted so far."""
        return {channel: end.tally for channel, end in self._ends.items()}


def _parent(message: Message) -> str:
    msg_id = message.parent_header.get("msg_id")
    return msg_id if isinstance(msg_id, str) else ""


def _ends_comm(message: Message) -> bool:
    """Whether a comm's message, which gets no reply, is over: the kernel is idle again."""
    comm = message.header.msg_type == "status" and message.parent_header.get("msg_type") in COMMS
    return comm and b'"idle"' in message.frames[JSON_FRAMES - 1]
