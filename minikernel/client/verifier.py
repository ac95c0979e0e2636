"""The verdicts of a client, on messages as jupyter_client's users know them: dicts.

A `ClientConnection` judges; here its messages are given the form that they have in jupyter_client,
and shown to whoever traces them.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from minikernel.client import picture
from minikernel.client.escape import shortened
from minikernel.errors import LocalProtocolError
from minikernel.protocol.client import ClientConnection
from minikernel.protocol.marks import asker_in
from minikernel.wire.channels import Channel
from minikernel.wire.message import EMPTY, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_client.session import Session

    from minikernel.auth.scheme import ClientSide
    from minikernel.auth.spec import Traits
    from minikernel.protocol.client import Incoming
    from minikernel.transport.sharing import Buffer

    Msg = dict[str, Any]  # a message as jupyter_client's users know it

QUESTION = "input_request"
TYPE_LENGTH, VERDICT_LENGTH = 19, 40  # characters of a line about a message
OWNER = "the owner"  # no invitation has this name: it has a space


class TraceEvent(NamedTuple):
    """One message that was sent, received, or received and dropped."""

    channel: str
    direction: str  # "sent" or "received"
    msg_type: str  # empty if the message did not verify: its type is anybody's claim
    size: int  # bytes of all frames
    verdict: str  # "ok", or the reason why it was dropped
    frames: Sequence[bytes]  # as they are on the wire
    covers: str | None = None  # what of it a signature covers: `auth.spec.Traits`

    def __repr__(self) -> str:
        """One line, as `minikernel demo` has it; the frames are in `frames`."""
        kind = shortened(self.msg_type or "unknown", TYPE_LENGTH)
        head = f"{self.channel:<8} {self.direction:<9} {kind:<{TYPE_LENGTH}}"
        return f"{head} {self.size:>7}  {shortened(self.verdict, VERDICT_LENGTH)}"

    def _repr_html_(self) -> str:
        return str(picture.frames(self.frames, covers=self.covers))


class Author(NamedTuple):
    """Who ran a cell."""

    name: str  # of an invitation, or "the owner"
    verified: bool  # False: it is what the client calls itself, and holders of one key can lie


class Verifier:
    """Signs what a client sends and judges what it receives.

    Args:
        scheme: signs and verifies.
        session: of the client; its id tells our own requests.
        traits: of the scheme.
    """

    def __init__(self, scheme: ClientSide, session: Session, traits: Traits) -> None:
        self.trace: Callable[[TraceEvent], object] | None = None
        self.question: Msg | None = None  # the last input_request
        self.scheme = scheme
        self.traits = traits
        self.connection = ClientConnection(
            scheme,
            traits,
            session=session.session,
            username=session.username,
            run=os.urandom(4).hex(),
            clock=time.monotonic,
            date=lambda: dumps(datetime.now(timezone.utc)),
        )
        self.connection.hook = self._tell
        self._session = session
        self._process = os.getpid()

    def missed(self) -> int:
        """Messages that the kernel published and that did not come, as far as it shows."""
        return self.connection.gaps.get(Channel.IOPUB, 0)

    def author(self, msg: Msg) -> Author:
        """Whose cell an `execute_input` of iopub shows."""
        parent = msg["parent_header"]
        known = asker_in(msg["metadata"]) if self.traits.sessions else None
        if known is not None:
            return Author(known or OWNER, verified=True)
        return Author(str(parent.get("username", "")), verified=False)

    @property
    def pinging(self) -> ClientSide | None:
        """The scheme, if it authenticates heartbeats."""
        return self.scheme if self.traits.heartbeat else None

    def seal(self, channel: Channel, msg: Msg) -> list[bytes]:
        """The frames of a message of `Session.msg`.

        Raises:
            LocalProtocolError: in a forked child; the sockets are its parent's.
            TypeError: there is no JSON for something in it.
            ValueError: a buffer is not contiguous.
        """
        if os.getpid() != self._process:
            raise LocalProtocolError("this client belongs to the process that made it")
        return self.connection.seal(
            channel,
            dumps(msg["header"]),
            msg["content"],
            parent=dumps(msg["parent_header"]) if msg["parent_header"] else EMPTY,
            metadata=msg["metadata"],
            buffers=[_contiguous(buffer) for buffer in msg.get("buffers", ())],
        )

    def open(self, channel: Channel, frames: list[bytes]) -> Msg | None:
        """The message in these frames; None if it was dropped."""
        name = self.connection.session
        incoming = self.connection.take(channel, frames)
        if self.connection.session != name:
            self._session.session = self.connection.session
        if incoming is None:
            return None
        msg = as_dict(incoming)
        if channel is Channel.STDIN and msg["msg_type"] == QUESTION:
            self.question = msg
        return msg

    def farewells(self) -> list[tuple[Channel, list[bytes]]]:
        """What a client says that leaves, unless there is something that it still waits for."""
        return [] if os.getpid() != self._process else self.connection.farewells()

    def forget(self) -> None:
        """In the child after a fork: forget the keys of a scheme that shakes hands."""
        self.scheme.forget()
        self._session.key = b""

    def _tell(
        self, channel: Channel, direction: str, msg_type: str, frames: list[bytes], verdict: str
    ) -> None:
        if self.trace is not None:
            size = sum(memoryview(frame).nbytes for frame in frames)
            said = (channel.value, direction, msg_type, size, verdict, frames)
            self.trace(TraceEvent(*said, self.traits.covers))


def as_dict(incoming: Incoming) -> Msg:
    """A verified message as `Session.deserialize` would give it."""
    message, header = incoming
    return {
        "header": _dated(header),
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


def _contiguous(buffer: Buffer) -> Buffer:
    if not memoryview(buffer).contiguous:
        raise ValueError("a buffer of a message must be contiguous")
    return buffer
