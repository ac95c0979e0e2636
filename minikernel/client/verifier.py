"""The verdicts of a client: one channel end for each channel, one memory, what was asked.

What `open` gives back is authentic, belongs on its channel and, on shell, control and stdin,
answers a request that this client sent. All else is counted and dropped.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from minikernel.auth.scheme import Address
from minikernel.errors import LocalProtocolError, RemoteProtocolError
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.wire.channels import Channel, Role
from minikernel.wire.message import EMPTY, dumps, loads_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jupyter_client.session import Session

    from minikernel.auth.scheme import Scheme
    from minikernel.protocol.end import Tally
    from minikernel.wire.message import Message

    Msg = dict[str, Any]  # a message as jupyter_client's users know it

MESSAGE_CHANNELS = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)
KERNEL = Address(())
NOT_ASKED = "not asked"
OK = "ok"


class TraceEvent(NamedTuple):
    """One message that was sent, received, or received and dropped."""

    channel: str
    direction: str  # "sent" or "received"
    msg_type: str  # empty if the message did not verify: its type is anybody's claim
    size: int  # bytes of all frames
    verdict: str  # "ok", or the reason why it was dropped
    frames: Sequence[bytes]  # as they stand on the wire


class Verifier:
    """Signs what a client sends and judges what it receives.

    Args:
        scheme: signs and verifies.
        session: of the client; its id tells our own requests.
    """

    def __init__(self, scheme: Scheme, session: Session) -> None:
        self.trace: Callable[[TraceEvent], object] | None = None
        self._own_session: str = session.session
        self._process = os.getpid()
        self._asked: dict[Channel, set[str]] = {Channel.SHELL: set(), Channel.CONTROL: set()}
        self._ends = {
            channel: ChannelEnd(
                channel,
                Role.CLIENT,
                scheme,
                lambda msg_type: dumps(session.msg_header(msg_type.decode())),
                guards=Guards(own_session=self._own_session),
            )
            for channel in MESSAGE_CHANNELS
        }

    @property
    def tallies(self) -> dict[Channel, Tally]:
        """What each channel counted so far."""
        return {channel: end.tally for channel, end in self._ends.items()}

    def seal(self, channel: Channel, msg: Msg) -> list[bytes]:
        """The frames of a message of `Session.msg`.

        Raises:
            LocalProtocolError: in a forked child; the sockets are its parent's.
            TypeError: there is no JSON for something in it.
            ValueError: a buffer is not contiguous.
        """
        if os.getpid() != self._process:
            raise LocalProtocolError("this client belongs to the process that made it")
        header, end = msg["header"], self._ends[channel]
        frames = end.seal(
            end.frames_of(
                dumps(header),
                dumps(msg["parent_header"]) if msg["parent_header"] else EMPTY,
                msg["metadata"],
                msg["content"],
                [_contiguous(buffer) for buffer in msg.get("buffers", ())],
            ),
            KERNEL,
        )
        if frames is None:
            raise LocalProtocolError("call wait_for_ready first")
        if channel in self._asked and header["msg_type"].endswith("_request"):
            self._asked[channel].add(header["msg_id"])
        self._tell(channel, "sent", header["msg_type"], frames, OK)
        return frames

    def open(self, channel: Channel, frames: list[bytes]) -> Msg | None:
        """The message in these frames; None if it was dropped."""
        end = self._ends[channel]
        msg_type = ""
        try:
            message = end.receive(frames)
        except RemoteProtocolError as problem:
            self._tell(channel, "received", msg_type, frames, problem.reason)
            return None
        msg_type = message.header.msg_type
        try:
            msg = as_dict(message)
        except RemoteProtocolError as problem:
            verdict = problem.reason
        else:
            verdict = OK if self._was_asked(channel, msg["parent_header"]) else NOT_ASKED
        if verdict != OK:
            end.refuse(verdict)
        self._tell(channel, "received", msg_type, frames, verdict)
        return msg if verdict == OK else None

    def _was_asked(self, channel: Channel, parent: Mapping[str, Any]) -> bool:
        """Whether this answers a request of ours: a reply only once, a question while it runs."""
        if channel is Channel.IOPUB:
            return True
        asked = self._asked.get(channel, self._asked[Channel.SHELL])
        msg_id = parent.get("msg_id")
        ours = parent.get("session") == self._own_session and isinstance(msg_id, str)
        if not ours or msg_id not in asked:
            return False
        if channel is not Channel.STDIN:
            asked.remove(msg_id)
        return True

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
