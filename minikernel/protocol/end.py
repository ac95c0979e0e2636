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

from minikernel.errors import (
    ContentError,
    ForPredecessor,
    PermissionDenied,
    Reflected,
    RemoteProtocolError,
    Stale,
    internal,
    refusal,
)
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
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minikernel.auth.scheme import Scheme
    from minikernel.wire.message import Header
    from minikernel.wire.peer import Peer


BELATED = 60.0  # seconds before a kernel's start for which a shutdown_request is for the one before


@dataclass(frozen=True, kw_only=True)
class Guards:
    """What an end checks beyond the signature (channel-hmac, section 8)."""

    own_session: str | None = None  # refuse messages of this session: they are our own
    channel_table: bool = True  # refuse types that don't belong on the channel
    buffers: bool = True  # sign buffers in the metadata, check those of a peer that does
    max_age: float | None = None  # seconds that a signed date may be old
    started: float | None = None  # seconds since the epoch, of a kernel that others may precede
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
        clock: seconds, monotonic, for schemes with a handshake.
        limits: frames that a message may have.
        opaque: contents are not decoded, and None: they are for somebody else.
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
        clock: Callable[[], float] = lambda: 0.0,
        limits: Limits = LIMITS,
        opaque: bool = False,
    ) -> None:
        self.channel = channel
        self.role = role
        self.tally = Tally()
        self._scheme = scheme
        self._headers = headers
        self._guards = guards
        own = guards.own_session
        self._own = None if own is None else b'"%b"' % own.encode()  # in our headers' JSON
        self._run = guards.run if channel is Channel.IOPUB and guards.buffers else None
        self._numbered = None if self._run is None else numbered_template(self._run)
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(struct) for name, struct in (contents or {}).items()
        }
        self._now = now
        self._clock = clock
        self._limits = limits
        self._opaque = opaque

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
        """The same for a header that is made already. Raises TypeError."""
        return _frames(header, parent, self._signed_metadata(metadata, buffers), content, buffers)

    def publish(
        self,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        *,
        topic: bytes,
        parent: bytes = EMPTY,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> list[bytes] | None:
        """Compose, number and sign a message for the subscribers of a topic; see `seal`.

        Raises:
            TypeError: a content or metadata that JSON has no form for; no number is spent.
        """
        header, signed = self._headers(msg_type), self._numbered_metadata(metadata, buffers)
        frames = _frames(header, parent, signed, content, buffers)
        return self.seal(frames, Address((topic,)))

    def seal(self, frames: list[bytes], to: Peer) -> list[bytes] | None:
        """Sign a message; what goes to the socket, before the next message is sealed.

        Args:
            frames: of `compose`.
            to: the peer.

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
        *route, _, frame = map(bytes, frames)  # a socket may have taken one for a large buffer
        try:
            answer = self._scheme.greet(self.channel, frame, tuple(route), self._clock())
        except RemoteProtocolError as error:
            self.tally.rejected[error.reason] += 1
            raise
        except Exception as problem:
            raise self.refused(problem) from problem
        return None if answer is None else join(route, answer)

    def refused(self, problem: BaseException) -> RemoteProtocolError:
        """Count an exception over a message that did not come as far as to verify; as what."""
        error = refusal(problem)
        self.tally.rejected[error.reason] += 1
        return error

    def _signed_metadata(
        self, metadata: Mapping[str, Any] | None, buffers: Sequence[bytes]
    ) -> bytes:
        if not self._guards.buffers:
            return dumps(metadata) if metadata else EMPTY
        if not metadata and not buffers:
            return NO_BUFFERS
        return dumps({**(metadata or {}), **mark(buffers)})

    def _numbered_metadata(
        self, metadata: Mapping[str, Any] | None, buffers: Sequence[bytes]
    ) -> bytes:
        if self._run is None or self._numbered is None:
            return self._signed_metadata(metadata, buffers)
        number = self.tally.sent + 1
        if not metadata and not buffers:
            return self._numbered % number
        return dumps({**(metadata or {}), **mark(buffers, (self._run, number))})

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
        except Exception as problem:  # a MemoryError, or a bug of ours
            raise self.refused(problem) from problem
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
        now = self._clock()
        peer = self._scheme.open(self.channel, raw.signature, raw.frames, raw.route, now)
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
        claimed = False
        try:
            self._admit(peer, header)
            claimed = True
            message = Message(
                peer,
                header,
                echo,
                loads_optional(parent),
                loads_optional(metadata),
                self._content(header.msg_type, content),
                frames,
            )
            self._check(message)
        except ContentError as error:
            error.msg_type, error.header, error.claimed = header.msg_type, echo, claimed
            raise
        except RemoteProtocolError:
            raise
        except Exception as problem:
            failure = internal(problem, peer, header.msg_type, echo)
            failure.claimed = claimed
            raise failure from problem
        return message

    def _admit(self, peer: Peer, header: Header) -> None:
        self._scheme.claim(peer, header.msg_type, header.session)
        if not self._scheme.may(peer, header.msg_type):
            raise PermissionDenied("this client has not the right to ask for that")

    def _content(self, msg_type: str, frame: bytes) -> Any:  # noqa: ANN401 - a struct of the table, or a dict
        if self._opaque:
            return None
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
        if guards.started is not None and msg_type == "shutdown_request":
            _check_addressee(message.header.date, guards.started)

    def _check_age(self, date: str | None, max_age: float) -> None:
        sent = _moment(date)
        if sent is None:
            raise Stale("no date")
        if self._now is None or not abs(self._now() - sent) <= max_age:
            raise Stale("the signed date is too old, or not of this clock")


def _frames(
    header: bytes,
    parent: bytes,
    metadata: bytes,
    content: bytes | Mapping[str, Any],
    buffers: Sequence[bytes],
) -> list[bytes]:
    content = content if isinstance(content, bytes) else dumps(content)
    return [header, parent, metadata, content, *buffers]


def _check_addressee(date: str | None, started: float) -> None:
    """A client's socket keeps what a dead kernel did not take for the next one on its ports.

    Raises:
        ForPredecessor: it was said shortly before this one was started. What is older, or has no
            date, may be of another clock, which must not lock anybody out.
    """
    sent = _moment(date)
    if sent is not None and 0 < started - sent <= BELATED:
        raise ForPredecessor("this was meant for the kernel before: it is older than this one")


def _moment(date: str | None, kind: type[datetime] = datetime) -> float | None:
    """The date of a header in seconds since the epoch; None: it has none.

    `kind` is the class as it was at the start: cells replace that of the module.
    """
    try:
        return msgspec.convert(date, kind).timestamp()
    except (msgspec.ValidationError, ValueError, OverflowError, OSError):
        return None
