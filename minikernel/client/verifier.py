"""The verdicts of a client: one channel end for each channel, one memory, what was asked.

What `open` gives back is authentic, belongs on its channel and, on shell, control and stdin,
answers a request that this client sent. All else is counted and dropped.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from minikernel.auth.registry import WITH_SESSIONS
from minikernel.auth.scheme import Address, Fate, Greeting
from minikernel.client import picture
from minikernel.errors import LocalProtocolError, RemoteProtocolError
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.protocol.marks import Missed
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import is_greeting, join
from minikernel.wire.message import EMPTY, dumps, loads_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jupyter_client.session import Session

    from minikernel.auth.channel_hmac_membership import ClientChannelHmac
    from minikernel.auth.scheme import Joining, Plea, Scheme
    from minikernel.protocol.end import Tally
    from minikernel.wire.message import Message

    Msg = dict[str, Any]  # a message as jupyter_client's users know it

MESSAGE_CHANNELS = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)
KERNEL = Address(())
NOT_ASKED = "not asked"
QUESTION, BOUND = "input_request", "bind_reply"
BIND = "bind_request"  # nobody waits for its reply but the handshake
HANDSHAKE = "handshake"  # what a trace calls a message that is one frame
OK = "ok"


class TraceEvent(NamedTuple):
    """One message that was sent, received, or received and dropped."""

    channel: str
    direction: str  # "sent" or "received"
    msg_type: str  # empty if the message did not verify: its type is anybody's claim
    size: int  # bytes of all frames
    verdict: str  # "ok", or the reason why it was dropped
    frames: Sequence[bytes]  # as they stand on the wire

    def _repr_html_(self) -> str:
        return str(picture.frames(self.frames))


class Asked(NamedTuple):
    """A request that is not answered yet."""

    msg_type: str
    signature: bytes


class Lost(NamedTuple):
    """A request whose answer will not come."""

    msg_id: str
    msg_type: str
    fate: Fate


class Verifier:
    """Signs what a client sends and judges what it receives.

    Args:
        scheme: signs and verifies.
        session: of the client; its id tells our own requests.
        joining: the same scheme, if it is one that shakes hands.
    """

    def __init__(self, scheme: Scheme, session: Session, joining: Joining | None = None) -> None:
        self.trace: Callable[[TraceEvent], object] | None = None
        self.lost: dict[str, Lost] = {}  # by msg_id
        self.question: Msg | None = None  # the last input_request
        self.joining = joining
        self._scheme = scheme
        self._session = session
        self._own_session: str = session.session
        self._missed = Missed()
        self._process = os.getpid()
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
                lambda msg_type: dumps(session.msg_header(msg_type.decode())),
                guards=Guards(own_session=self._own_session, buffers=joining is None),
            )
            for channel in MESSAGE_CHANNELS
        }

    @property
    def tallies(self) -> dict[Channel, Tally]:
        """What each channel counted so far."""
        return {channel: end.tally for channel, end in self._ends.items()}

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Messages that are missing, as far as the scheme, or the kernel's numbers, can tell."""
        if self._scheme.name in WITH_SESSIONS:
            return self._scheme.gaps
        return {**self._scheme.gaps, Channel.IOPUB: self._missed.count}

    def missed(self) -> int:
        """Messages that the kernel published and that did not come, as far as it shows."""
        return self.gaps.get(Channel.IOPUB, 0)

    @property
    def observes(self) -> bool:
        """Whether the kernel's publications are for this client."""
        return self.joining is None or self.joining.observes

    @property
    def names_itself(self) -> bool:
        """Whether the scheme wants sockets to have an identity, as Jupyter's do."""
        return self._scheme.name not in WITH_SESSIONS

    @property
    def pinging(self) -> ClientChannelHmac | None:
        """The scheme, if it authenticates heartbeats."""
        # Without importing it, where it is not used.
        return cast("ClientChannelHmac", self._scheme) if not self.names_itself else None

    def due(self, now: float) -> list[tuple[Channel, list[bytes]]]:
        """What a handshake has to send now, by the monotonic clock."""
        joining = self.joining
        return [] if joining is None else [self._plead(plea) for plea in joining.due(now)]

    def _plead(self, plea: Greeting | Plea) -> tuple[Channel, list[bytes]]:
        if isinstance(plea, Greeting):
            frames = join((), plea.frame)
            self._tell(plea.channel, "sent", HANDSHAKE, frames, OK)
            return plea.channel, frames
        msg = self._session.msg(plea.msg_type, dict(plea.content))
        return plea.channel, self._seal(plea.channel, msg, Address((), plea.session))

    def seal(self, channel: Channel, msg: Msg) -> list[bytes]:
        """The frames of a message of `Session.msg`.

        Raises:
            LocalProtocolError: in a forked child; the sockets are its parent's.
            TypeError: there is no JSON for something in it.
            ValueError: a buffer is not contiguous.
        """
        if os.getpid() != self._process:
            raise LocalProtocolError("this client belongs to the process that made it")
        return self._seal(channel, msg, KERNEL)

    def _seal(self, channel: Channel, msg: Msg, to: Address) -> list[bytes]:
        header, end = msg["header"], self._ends[channel]
        frames = end.seal(
            end.frames_of(
                dumps(header),
                dumps(msg["parent_header"]) if msg["parent_header"] else EMPTY,
                msg["metadata"],
                msg["content"],
                [_contiguous(buffer) for buffer in msg.get("buffers", ())],
            ),
            to,
        )
        if frames is None:
            raise LocalProtocolError("no handshake yet: call wait_for_ready() first")
        if header["msg_type"].endswith("_request"):
            self._asked[channel][header["msg_id"]] = Asked(header["msg_type"], frames[1])
        self._tell(channel, "sent", header["msg_type"], frames, OK)
        return frames

    def open(self, channel: Channel, frames: list[bytes]) -> Msg | None:
        """The message in these frames; None if it was dropped."""
        end = self._ends[channel]
        msg_type = ""
        try:
            if is_greeting(frames):
                end.greet(frames)
                self._tell(channel, "received", HANDSHAKE, frames, OK)
                return None
            message = end.receive(frames)
        except RemoteProtocolError as problem:
            self._tell(channel, "received", msg_type, frames, problem.reason)
            return None
        msg_type = message.header.msg_type
        msg, verdict = self._judged(channel, message)
        if msg is None:
            end.refuse(verdict)
        self._tell(channel, "received", msg_type, frames, verdict)
        if msg is None:
            return None
        if channel is Channel.STDIN and msg_type == QUESTION:
            self.question = msg
        if self.joining is not None:
            self.joining.take(channel, message.peer, msg_type, message.content)
            if self.joining.has_taken_over:
                self._settle(self.joining)
        # It may come behind a question, and must not look as if that were over.
        is_bound = msg_type == BOUND and channel is not Channel.CONTROL
        return None if is_bound else msg

    def _judged(self, channel: Channel, message: Message) -> tuple[Msg | None, str]:
        """The message, unless it may not pass, and the verdict."""
        if channel is Channel.IOPUB:
            self._missed.note(message.metadata)
        try:
            msg = as_dict(message)
        except RemoteProtocolError as problem:
            return None, problem.reason
        asked = self._was_asked(channel, msg["parent_header"])
        return (msg, OK) if asked else (None, NOT_ASKED)

    def _settle(self, joining: Joining) -> None:
        """After a handshake: tell what became of the requests that were under way."""
        under_way = {
            channel: {msg_id: request.signature for msg_id, request in asked.items()}
            for channel, asked in self._asked.items()
        }
        for (channel, msg_id), fate in joining.fates(under_way).items():
            if fate is Fate.COMING:
                continue
            request = self._asked[channel].pop(msg_id)
            if request.msg_type != BIND:
                self.lost[msg_id] = Lost(msg_id, request.msg_type, fate)

    def _was_asked(self, channel: Channel, parent: Mapping[str, Any]) -> bool:
        """Whether this answers a request of ours: a reply only once, a question while it runs."""
        if channel is Channel.IOPUB:
            return True
        msg_id = parent.get("msg_id")
        if parent.get("session") != self._own_session or not isinstance(msg_id, str):
            return False
        if self._asked[channel].pop(msg_id, None) is not None:
            return True
        return channel is Channel.STDIN and msg_id in self._asked[Channel.SHELL]

    def _tell(
        self, channel: Channel, direction: str, msg_type: str, frames: list[bytes], verdict: str
    ) -> None:
        if self.trace is not None:
            size = sum(memoryview(frame).nbytes for frame in frames)
            self.trace(TraceEvent(channel.value, direction, msg_type, size, verdict, frames))


def as_dict(message: Message) -> Msg:
    """A verified message as `Session.deserialize` would give it.

    Raises:
        ContentError: a field of the header that nobody has looked at yet can't be decoded.
    """
    header = _dated(loads_dict(message.header_frame))
    return {
        "header": header,
        "msg_id": header["msg_id"],
        "msg_type": header["msg_type"],
        "parent_header": _dated(message.parent_header),
        "metadata": message.metadata,
        "content": message.content,
        "buffers": [memoryview(buffer) for buffer in message.buffers],
    }


def _dated(header: Msg) -> Msg:
    date = header.get("date")
    if isinstance(date, str):
        header["date"] = _datetime(date)
    return header


def _datetime(text: str) -> datetime | str:
    """The date of a header; one without an offset is of the local time zone."""
    try:
        date = msgspec.convert(text, datetime)
        return date if date.tzinfo is not None else date.astimezone()
    except (ValueError, OverflowError, OSError):
        return text


def _contiguous(buffer: Any) -> Any:  # noqa: ANN401 - anything with the buffer protocol
    if not memoryview(buffer).contiguous:
        raise ValueError("a buffer of a message must be contiguous")
    return buffer
