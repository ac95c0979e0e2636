"""One end of one channel: the only place where a raw message becomes a `Message`.

Receiving is check, verify, mark, decode, in this order (channel-hmac, section 5), and any list of
frames gives a `Message` or a `RemoteProtocolError`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from minikernel.errors import ContentError, Reflected, RemoteProtocolError, Stale
from minikernel.protocol.marks import NO_BUFFERS, check_buffers, mark, numbered_template
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

    from minikernel.auth.scheme import Peer, Scheme


@dataclass(frozen=True, kw_only=True)
class Guards:
    """What an end checks beyond the signature (channel-hmac, section 8)."""

    own_session: str | None = None  # refuse messages of this session: they are our own
    channel_table: bool = True  # refuse types that don't belong on the channel
    buffers: bool = True  # sign buffers in the metadata, check those of a peer that does
    max_age: float | None = None  # seconds that a signed date may be old
    run: str | None = None  # number what is published, as of this run; needs `buffers`


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
        self._run = guards.run if channel is Channel.IOPUB else None
        self._numbered = None if self._run is None else numbered_template(self._run)
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(struct) for name, struct in (contents or {}).items()
        }
        self._now = now
        self._limits = limits

    def compose(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        *,
        parent: bytes = EMPTY,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> list[bytes]:
        """The frames of a message of ours, without the signature.

        Numbered messages are sealed in the order in which they were composed.

        Args:
            msg_type: in ASCII.
            content: JSON, or what becomes it.
            parent: the header frame of the message that this one answers.
            metadata: of the message.
            buffers: binary frames after the content.

        Raises:
            TypeError: a content or metadata that JSON has no form for.
        """
        return self.frames_of(self._headers(msg_type), parent, metadata, content, buffers)

    def frames_of(
        self,
        header: bytes,
        parent: bytes,
        metadata: Mapping[str, Any] | None,
        content: bytes | Mapping[str, Any],
        buffers: Sequence[bytes],
    ) -> list[bytes]:
        """Likewise, for one who has made the header already. Raises TypeError."""
        return [
            header,
            parent,
            self._signed_metadata(metadata, buffers),
            content if isinstance(content, bytes) else dumps(content),
            *buffers,
        ]

    def seal(self, frames: list[bytes], to: Peer) -> list[bytes] | None:
        """Sign a message; what goes to the socket, before the next message is sealed.

        Args:
            frames: of `compose`.
            to: the peer; on iopub the topic is its route.

        Returns:
            None: there is no way to the peer yet.

        Raises:
            UnknownSession: the peer is gone.
        """
        sealed = self._scheme.seal(self.channel, frames, to)
        if sealed is None:
            return None
        self.tally.sent += 1
        return join(sealed.route, sealed.signature, frames)

    def greet(self, frames: list[bytes]) -> list[bytes] | None:
        """The answer to a message of a handshake (`wire.frames.is_greeting`), if there is one.

        Raises:
            RemoteProtocolError: it proves nothing; it has been counted.
        """
        *route, _, frame = frames
        try:
            answer = self._scheme.greet(self.channel, frame, tuple(route))
        except RemoteProtocolError as error:
            self.tally.rejected[error.reason] += 1
            raise
        return None if answer is None else join(route, answer)

    def _signed_metadata(
        self, metadata: Mapping[str, Any] | None, buffers: Sequence[bytes]
    ) -> bytes:
        if not self._guards.buffers:
            return dumps(metadata) if metadata else EMPTY
        number = self.tally.sent + 1
        if not metadata and not buffers:
            return NO_BUFFERS if self._numbered is None else self._numbered % number
        numbered = None if self._run is None else (self._run, number)
        return dumps({**(metadata or {}), **mark(buffers, numbered)})

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

    def permits(self, peer: Peer, msg_type: str, session: str) -> bool:
        """Whether a peer may say this, on whatever channel it belongs."""
        try:
            self._scheme.permit(peer, msg_type, session)
        except ContentError:
            return False
        return True

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
        peer = self._scheme.open(self.channel, raw.signature, raw.frames, raw.route)
        try:
            return self._decode(peer, raw.frames)
        except ContentError as error:
            error.peer = peer
            raise

    def _decode(self, peer: Peer, frames: list[bytes]) -> Message:
        header_frame, parent, metadata, content = frames[:JSON_FRAMES]
        header, echo = loads_header(header_frame)
        if header.session == self._guards.own_session:
            raise Reflected("somebody with the key speaks in our name")
        try:
            self._scheme.permit(peer, header.msg_type, header.session)
            message = Message(
                peer,
                header,
                echo,
                loads_optional(parent),
                loads_optional(metadata),
                self._content(header.msg_type, content),
                frames[JSON_FRAMES:],
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
        if (
            guards.channel_table
            and msg_type not in self._scheme.own_types
            and not may_carry(self.channel, self.role, msg_type)
        ):
            raise ContentError(f"a message of this type does not belong on {self.channel.value}")
        if guards.buffers:
            check_buffers(message.metadata, message.buffers)
        if guards.max_age is not None:
            self._check_age(message.header.date, guards.max_age)

    def _check_age(self, date: str | None, max_age: float) -> None:
        try:
            sent = msgspec.convert(date, datetime).timestamp()
        except (msgspec.ValidationError, ValueError, OverflowError):
            raise Stale("no date") from None
        if self._now is None or not abs(self._now() - sent) <= max_age:
            raise Stale("the signed date is too old, or not of this clock")
