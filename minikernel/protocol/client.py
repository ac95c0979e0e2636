"""A client's side of a kernel's channels, without sockets.

What `take` gives back is authentic, belongs on its channel and, on shell, control and stdin,
answers a request that was sent here. All else is counted and dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.auth.scheme import Fate, Greeting
from minikernel.errors import LocalProtocolError, RemoteProtocolError
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.protocol.marks import Missed
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import is_greeting, join
from minikernel.wire.message import EMPTY, HeaderFactory, loads_dict, loads_header
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.scheme import ClientSide, HandshakeRequest
    from minikernel.auth.spec import Traits
    from minikernel.protocol.end import Tally
    from minikernel.wire.message import Message

    # Called with channel, "sent" or "received", message type, frames, and verdict.
    Hook = Callable[[Channel, str, str, list[bytes], str], object]

MESSAGE_CHANNELS = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)
KERNEL = Address(())
NOT_ASKED = "not asked"
BOUND, BIND = "bind_reply", "bind_request"  # of handshakes; nobody else waits for the reply
HANDSHAKE = "handshake"  # what a hook is told of a message that is one frame
OK = "ok"


class Incoming(NamedTuple):
    """A message from the kernel that may pass."""

    message: Message
    header: dict[str, Any]  # all of it, as the kernel wrote it


class Asked(NamedTuple):
    """A request that is not answered yet."""

    msg_type: str
    signature: bytes
    session: str  # header.session
    behind: int  # messages on shell before it to which there is no reply


class Lost(NamedTuple):
    """A request whose answer will not come."""

    msg_id: str
    msg_type: str
    fate: Fate


class ClientConnection:
    """A client's side of shell, control, stdin and iopub.

    The caller has the sockets. It sends what `to_send` gives, each on its channel, gives what
    comes to `take`, and does both again after `wait` seconds at the latest.

    Args:
        scheme: signs and verifies; its client's side.
        traits: of the scheme.
        session: `header.session` of what is sent, ASCII without quotes; it tells our requests.
        username: `header.username`, a claim that nobody checks.
        run: tells this connection's message ids from those of others with the same session; ASCII.
        clock: seconds, monotonic.
        date: the time as a JSON string, quotes included (ISO 8601).
    """

    def __init__(
        self,
        scheme: ClientSide,
        traits: Traits,
        *,
        session: str,
        username: str,
        run: str,
        clock: Callable[[], float],
        date: Callable[[], bytes],
    ) -> None:
        self.scheme = scheme
        self.traits = traits
        self.session = session
        self.lost: dict[str, Lost] = {}  # by msg_id
        self.hook: Hook | None = None
        self._username, self._run = username, run
        self._clock, self._date = clock, date
        self._headers: dict[str, HeaderFactory] = {}  # by session
        self._outgoing: list[tuple[Channel, list[bytes]]] = []
        self._said = 0  # messages on shell to which there is no reply
        self._heard = 0  # of these, how many the kernel has taken: it answered a later request
        self._missed = Missed()
        self._asked: dict[Channel, dict[str, Asked]] = {
            Channel.SHELL: {},
            Channel.CONTROL: {},
            Channel.STDIN: {},
        }
        self._ends = {
            channel: ChannelEnd(
                channel,
                Role.CLIENT,
                scheme,
                self._header,
                guards=Guards(own_session=session, buffers=Role.CLIENT in traits.digests),
                clock=clock,
            )
            for channel in MESSAGE_CHANNELS
        }

    # What is sent.

    def renew(self) -> None:
        """Shake hands, if the scheme does: at the start, and when a connection was lost."""
        self.scheme.renew(self._clock())

    def is_ready(self, channel: Channel) -> bool:
        """Whether a request may be sent on this channel: no handshake must come before it."""
        return self.scheme.is_ready(channel)

    def send(
        self,
        channel: Channel,
        msg_type: str,
        content: Mapping[str, Any],
        *,
        parent: bytes = EMPTY,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> str:
        """Send a message, by `to_send`.

        Args:
            channel: on which.
            msg_type: in ASCII.
            content: of the message.
            parent: header frame of the message that this one answers.
            metadata: of the message.
            buffers: contiguous, binary.

        Returns:
            Its msg_id.

        Raises:
            LocalProtocolError: the channel is not ready.
            TypeError: there is no JSON for something in it.
        """
        header = self._header(msg_type.encode())
        frames = self.seal(
            channel, header, content, parent=parent, metadata=metadata, buffers=buffers
        )
        self._outgoing.append((channel, frames))
        return loads_header(header)[0].msg_id

    def to_send(self) -> list[tuple[Channel, list[bytes]]]:
        """Multipart messages to send now, and the channel of each, in order."""
        outgoing, self._outgoing = self._outgoing, []
        return [*self.due(), *outgoing]

    def wait(self) -> float | None:
        """Seconds until `to_send` has something of a handshake; None: when something comes."""
        return self.scheme.wait(self._clock())

    def due(self) -> list[tuple[Channel, list[bytes]]]:
        """What a handshake has to send now."""
        return [self._handshake_frames(request) for request in self.scheme.due(self._clock())]

    def farewells(self) -> list[tuple[Channel, list[bytes]]]:
        """What a client says that leaves, unless there is something that it still waits for."""
        requests = () if self.awaits else self.scheme.farewells()
        return [self._handshake_frames(request) for request in requests]

    def seal(
        self,
        channel: Channel,
        header: bytes,
        content: Mapping[str, Any],
        *,
        parent: bytes = EMPTY,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
        to: Address = KERNEL,
    ) -> list[bytes]:
        """The frames of a message whose header is made already, to be sent at once.

        Raises:
            LocalProtocolError: the channel is not ready.
            TypeError: there is no JSON for something in it.
        """
        end = self._ends[channel]
        frames = end.seal(end.frames_of(header, parent, metadata, content, buffers), to)
        if frames is None:
            raise LocalProtocolError("no handshake yet: call wait_for_ready() first")
        told = loads_dict(header)
        msg_type = told["msg_type"]
        if msg_type.endswith("_request"):
            asked = Asked(msg_type, frames[1], told["session"], self._said)
            self._asked[channel][told["msg_id"]] = asked
        elif channel is Channel.SHELL:
            self._said += 1
        self._tell(channel, "sent", msg_type, frames, OK)
        return frames

    def _header(self, msg_type: bytes, session: str | None = None) -> bytes:
        name = session or self.session
        if name not in self._headers:
            self._headers[name] = HeaderFactory(name, self._run, self._username, self._date)
        return self._headers[name](msg_type)

    def _handshake_frames(
        self, request: Greeting | HandshakeRequest
    ) -> tuple[Channel, list[bytes]]:
        if isinstance(request, Greeting):
            frames = join((), request.frame)
            self._tell(request.channel, "sent", HANDSHAKE, frames, OK)
            return request.channel, frames
        header = self._header(request.msg_type.encode(), request.name)
        to = Address((), request.session)
        return request.channel, self.seal(request.channel, header, request.content, to=to)

    # What comes.

    def take(self, channel: Channel, frames: list[bytes]) -> Incoming | None:
        """Take a multipart message that has come; None: it was dropped, or of a handshake."""
        end = self._ends[channel]
        try:
            if is_greeting(frames):
                end.greet(frames)
                self._tell(channel, "received", HANDSHAKE, frames, OK)
                return None
            message = end.receive(frames)
        except RemoteProtocolError as problem:
            self._tell(channel, "received", "", frames, problem.reason)
            return None
        incoming, verdict = self._judged(channel, message)
        if incoming is None:
            end.refuse(verdict)
        msg_type = message.header.msg_type
        self._tell(channel, "received", msg_type, frames, verdict)
        if incoming is None:
            return None
        if self.traits.handshake:
            self._shake_hands(channel, message)
        # It may come behind a question, and must not look as if that were over.
        is_bound = msg_type == BOUND and channel is not Channel.CONTROL
        return None if is_bound else incoming

    def _judged(self, channel: Channel, message: Message) -> tuple[Incoming | None, str]:
        """The message, unless it may not pass, and the verdict."""
        if channel is Channel.IOPUB:
            self._missed.note(message.metadata)
        try:
            header = loads_dict(message.header_frame)  # fields that nobody has looked at yet
        except RemoteProtocolError as problem:
            return None, problem.reason
        asked = self._was_asked(channel, message.parent_header)
        return (Incoming(message, header), OK) if asked else (None, NOT_ASKED)

    def _shake_hands(self, channel: Channel, message: Message) -> None:
        msg_type, name = message.header.msg_type, message.parent_header.get("session")
        self.scheme.take(channel, message.peer, msg_type, message.content, name)
        if self.scheme.has_taken_over:
            self._settle()
        if msg_type == BOUND:
            self.session = self.scheme.name_in_force or self.session

    def _settle(self) -> None:
        """After a handshake: tell what became of the requests that were under way."""
        under_way = {
            channel: {msg_id: request.signature for msg_id, request in asked.items()}
            for channel, asked in self._asked.items()
        }
        for (channel, msg_id), fate in self.scheme.fates(under_way).items():
            if fate is Fate.COMING:
                continue
            request = self._asked[channel].pop(msg_id)
            if request.msg_type != BIND:
                self.lost[msg_id] = Lost(msg_id, request.msg_type, fate)

    def _was_asked(self, channel: Channel, parent: Mapping[str, Any]) -> bool:
        """Whether this answers a request of ours: a reply only once, a question while it runs."""
        if channel is Channel.IOPUB:
            return True
        msg_id, session = parent.get("msg_id"), parent.get("session")
        if not isinstance(msg_id, str):
            return False
        asked = self._asked[channel].get(msg_id)
        if asked is not None and asked.session == session:
            del self._asked[channel][msg_id]
            self._heard = max(self._heard, asked.behind)
            return True
        running = self._asked[Channel.SHELL].get(msg_id)
        return channel is Channel.STDIN and running is not None and running.session == session

    def _tell(
        self, channel: Channel, direction: str, msg_type: str, frames: list[bytes], verdict: str
    ) -> None:
        if self.hook is not None:
            self.hook(channel, direction, msg_type, frames, verdict)

    # What is known.

    @property
    def tallies(self) -> dict[Channel, Tally]:
        """What each channel counted so far."""
        return {channel: end.tally for channel, end in self._ends.items()}

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Messages that are missing, as far as the scheme, or the kernel's numbers, can tell."""
        if self.traits.sessions:
            return self.scheme.gaps
        return {**self.scheme.gaps, Channel.IOPUB: self._missed.count}

    @property
    def announced(self) -> bool:
        """Whether busy and idle go around what every client may ask (channel-hmac, section 5)."""
        return self.scheme.observes and not self.traits.sessions

    @property
    def awaits(self) -> bool:
        """Whether the kernel has not taken, or not answered, all that was sent."""
        requests = (r for asked in self._asked.values() for r in asked.values())
        return self._said > self._heard or any(r.msg_type != BIND for r in requests)

    def waits_for(self, msg_id: str) -> bool:
        """Whether this request on shell has not been answered yet."""
        return msg_id in self._asked[Channel.SHELL]

    def is_binding(self, channel: Channel) -> bool:
        """Whether a bind_request on this channel is not answered yet."""
        return any(r.msg_type == BIND for r in self._asked.get(channel, {}).values())
