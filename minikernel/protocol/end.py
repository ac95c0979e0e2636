"""One end of one channel: the only place where a raw message becomes a `Message`.

Receiving is check, verify, mark, decode, in this order (channel-hmac, section 5), and any list of
frames gives a `Message` or a `RemoteProtocolError`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from minikernel.errors import (
    BadSignature,
    ContentError,
    Reflected,
    RemoteProtocolError,
    Stale,
)
from minikernel.wire.channels import Channel, Role, may_carry
from minikernel.wire.frames import JSON_FRAMES, LIMITS, Limits, join, split
from minikernel.wire.message import (
    EMPTY,
    Message,
    dumps,
    loads,
    loads_dict,
    loads_header,
    loads_optional,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.scheme import Scheme


@dataclass(frozen=True, kw_only=True)
class Guards:
    """What an end checks beyond the signature (channel-hmac, section 8)."""

    own_session: str | None = None  # refuse messages of this session: they are our own
    channel_table: bool = True  # refuse types that don't belong on the channel
    buffers: bool = True  # sign buffers in the metadata, check those of a peer that does
    max_age: float | None = None  # seconds that a signed date may be old


BARE = Guards(own_session=None, channel_table=False, buffers=False, max_age=None)


@dataclass(kw_only=True)
class Tally:
    """What came through one end of a channel."""

    sent: int = 0
    verified: int = 0
    rejected: Counter[str] = field(default_factory=Counter)  # by RemoteProtocolError.reason


class ChannelEnd:
    """One end of one channel, without the socket.

    Args:
        channel: which.
        role: whose end.
        scheme: signs and verifies.
        headers: makes the header frame of a message type, for `send`.
        guards: what is checked beyond the signature.
        contents: message type -> struct; other contents are decoded to dicts.
        now: seconds since the epoch, for `max_age`.
        limits: frames that a message may have.
    """

    def __init__(
        self,
        channel: Channel,
        role: Role,
        scheme: Scheme,
        headers: Callable[[bytes], bytes],
        *,
        guards: Guards,
        contents: Mapping[str, type] | None = None,
        now: Callable[[], float] | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.channel = channel
        self.role = role
        self.tally = Tally()
        self._scheme = scheme
        self._headers = headers
        self._guards = guards
        own = guards.own_session
        self._own = None if own is None else b'"%b"' % own.encode()  # in our headers' JSON
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(struct) for name, struct in (contents or {}).items()
        }
        self._now = now
        self._limits = limits

    def send(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        *,
        parent: bytes = EMPTY,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
        to: Sequence[bytes] = (),
    ) -> list[bytes]:
        """The frames of a message of ours.

        Args:
            msg_type: in ASCII.
            content: JSON, or what becomes it.
            parent: the header frame of the message that this one answers.
            metadata: of the message.
            buffers: binary frames after the content.
            to: the identities that lead to the peer; on iopub the topic.

        Raises:
            TypeError: a content or metadata that JSON has no form for.
        """
        return self.seal(
            self._headers(msg_type),
            content,
            parent=parent,
            metadata=metadata,
            buffers=buffers,
            to=to,
        )

    def seal(
        self,
        header: bytes,
        content: bytes | Mapping[str, Any],
        *,
        parent: bytes = EMPTY,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
        to: Sequence[bytes] = (),
    ) -> list[bytes]:
        """Likewise, for one who has made the header already. Raises TypeError."""
        frames = [
            header,
            parent,
            self._sealed_metadata(metadata, buffers),
            content if isinstance(content, bytes) else dumps(content),
            *buffers,
        ]
        self.tally.sent += 1
        return join(list(to), self._scheme.seal(self.channel, frames, to), frames)

    def _sealed_metadata(
        self, metadata: Mapping[str, Any] | None, buffers: Sequence[bytes]
    ) -> bytes:
        if not self._guards.buffers:
            return dumps(metadata) if metadata else EMPTY
        if not metadata and not buffers:
            return NO_BUFFERS
        return dumps({**(metadata or {}), MARK: {BUFFERS: buffers_digest(buffers)}})

    def receive(self, frames: list[bytes]) -> Message:
        """Verify and decode the frames of one multipart message.

        Raises:
            RemoteProtocolError: whatever is wrong with them; it has been counted.
        """
        try:
            message = self._receive(frames)
        except RemoteProtocolError as error:
            self.tally.rejected[error.reason] += 1
            raise
        self.tally.verified += 1
        return message

    def refuse(self, reason: str) -> None:
        """Count a message that verified, and that its receiver refused for what it says."""
        self.tally.verified -= 1
        self.tally.rejected[reason] += 1

    def _receive(self, frames: list[bytes]) -> Message:
        raw = split(frames, self._limits)
        # Before it is verified, and so remembered: else who hears 65,536 messages of ours could
        # flush the replay memory with them. Only ours have the id in just these bytes.
        if self._own is not None and self._own in raw.frames[0]:
            raise Reflected("a message of our own came back")
        self._scheme.open(self.channel, raw.signature, raw.frames, raw.identities)
        header_frame, parent, metadata, content = raw.frames[:JSON_FRAMES]
        header, echo = loads_header(header_frame)
        if header.session == self._guards.own_session:
            raise Reflected("somebody with the key speaks in our name")
        try:
            message = Message(
                raw.identities,
                header,
                echo,
                loads_optional(parent),
                loads_optional(metadata),
                self._content(header.msg_type, content),
                raw.frames[JSON_FRAMES:],
            )
            self._check(message)
        except ContentError as error:
            error.msg_type, error.header = header.msg_type, echo
            raise
        return message

    def _content(self, msg_type: str, frame: bytes) -> Any:  # noqa: ANN401 - a struct of the table, or a dict
        decoder = self._decoders.get(msg_type)
        return loads_dict(frame) if decoder is None else loads(frame, decoder)

    def _check(self, message: Message) -> None:
        guards, msg_type = self._guards, message.header.msg_type
        if guards.channel_table and not may_carry(self.channel, self.role, msg_type):
            raise ContentError(f"a message of this type does not belong on {self.channel.value}")
        if guards.buffers:
            _check_buffers(message)
        if guards.max_age is not None:
            self._check_age(message.header.date, guards.max_age)

    def _check_age(self, date: str | None, max_age: float) -> None:
        try:
            sent = msgspec.convert(date, datetime).timestamp()
        except (msgspec.ValidationError, ValueError, OverflowError):
            raise Stale("no date") from None
        if self._now is None or not abs(self._now() - sent) <= max_age:
            raise Stale("the signed date is too old, or not of this clock")


MARK, BUFFERS = "minikernel", "buffers_sha256"


def buffers_digest(buffers: Sequence[bytes]) -> str:
    """SHA-256 over the number of buffers, their lengths, and themselves (channel-hmac, 8)."""
    sizes = (len(buffers), *(memoryview(b).nbytes for b in buffers))
    digest = hashlib.sha256(b"".join(n.to_bytes(8, "big") for n in sizes))
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()


def _check_buffers(message: Message) -> None:
    """A peer of ours signs its buffers in the metadata; stock peers say nothing about them."""
    mark = message.metadata.get(MARK)
    if not isinstance(mark, dict) or BUFFERS not in mark:
        return
    if mark[BUFFERS] != buffers_digest(message.buffers):
        raise BadSignature("the buffers are not those that were signed")


NO_BUFFERS = dumps({MARK: {BUFFERS: buffers_digest(())}})
