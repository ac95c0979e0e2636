"""The AUTH frames of channel-hmac, to the byte (its sections 1, 3 and 4). No state.

Parsing checks lengths and fixed fields (section 5, step 2) and nothing else.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import struct
from typing import TYPE_CHECKING, NamedTuple

from minikernel.auth.hashing import feed
from minikernel.errors import FramingError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.auth.keys import SecretKey


class Type(enum.IntEnum):
    """The types of AUTH."""

    HELLO = 1
    CHALLENGE = 2
    DATA = 16
    PUBLISH = 17
    PING = 18
    PONG = 19


MAGIC = b"MKC1"
CODES = {
    Channel.SHELL: 1,
    Channel.CONTROL: 2,
    Channel.STDIN: 3,
    Channel.IOPUB: 4,
    Channel.HEARTBEAT: 5,
}
DATA_CHANNELS = (Channel.CONTROL, Channel.SHELL, Channel.STDIN)
START = 8  # bytes of magic, type, channel and zero
HEADER = 24
TAG = 32
SESSION_ID = 8
RUN_ID = 16
NONCE = 32
TAGGED = HEADER + TAG  # DATA, PING and PONG
HELLO_MIN = HEADER + NONCE + 4 + 2 + TAG  # with an empty id
CHALLENGE_LENGTH = HEADER + RUN_ID + NONCE + 8 + TAG
ENTRIES = HEADER + 2  # where those of a PUBLISH begin
SHORT_TAG = 16
ENTRY = SESSION_ID + SHORT_TAG
MAX_ENTRIES = 1024
NOBODY = bytes(SESSION_ID)

_POSITION = struct.Struct(">8sQ")  # session id, counter
_STARTS = {
    (kind, channel): MAGIC + bytes([kind, code, 0, 0])
    for channel, code in CODES.items()
    for kind in Type
}


class Hello(NamedTuple):
    """A HELLO that nobody has verified yet."""

    nonce: bytes
    rights: int
    client_id: str
    signed: bytes
    tag: bytes


class Challenge(NamedTuple):
    """A CHALLENGE that nobody has verified yet."""

    session: bytes
    run_id: bytes
    published: int  # the counter of the last PUBLISH
    signed: bytes
    tag: bytes


class Tagged(NamedTuple):
    """A DATA, PING or PONG that nobody has verified yet."""

    session: bytes
    counter: int
    header: bytes
    tag: bytes


class Publication(NamedTuple):
    """A PUBLISH that nobody has verified yet."""

    run: bytes  # the first 8 bytes of the run id
    counter: int
    header: bytes
    entries: bytes

    def tag_for(self, session: bytes) -> bytes | None:
        """The tag of the first entry with this session id."""
        for at in range(0, len(self.entries), ENTRY):
            if self.entries.startswith(session, at):
                return self.entries[at + SESSION_ID : at + ENTRY]
        return None


def header(kind: Type, channel: Channel, session: bytes = NOBODY, counter: int = 0) -> bytes:
    """The first 24 bytes."""
    return _STARTS[kind, channel] + _POSITION.pack(session, counter)


def unsigned_hello(nonce: bytes, rights: int, client_id: str) -> bytes:
    """A HELLO but for its tag."""
    name = client_id.encode()
    return b"".join(
        (header(Type.HELLO, Channel.CONTROL), nonce, struct.pack(">IH", rights, len(name)), name)
    )


def parse_hello(auth: bytes) -> Hello:
    """Take a HELLO apart.

    Raises:
        FramingError: a length or a fixed field is wrong, or the id is not in ASCII.
    """
    if len(auth) < HELLO_MIN:
        raise FramingError("too short for a HELLO")
    _check_start(auth, Type.HELLO, Channel.CONTROL)
    if auth[START:HEADER] != bytes(HEADER - START):
        raise FramingError("a HELLO with a session or a counter")
    rights, length = struct.unpack_from(">IH", auth, HEADER + NONCE)
    if len(auth) != HELLO_MIN + length:
        raise FramingError("a HELLO of another length than it says")
    signed, tag = auth[:-TAG], auth[-TAG:]
    name = signed[HEADER + NONCE + 6 :]
    if not name.isascii():
        raise FramingError("a client_id with other characters than it may have")
    return Hello(auth[HEADER : HEADER + NONCE], rights, name.decode(), signed, tag)


def unsigned_challenge(session: bytes, run_id: bytes, nonce: bytes, published: int) -> bytes:
    """A CHALLENGE but for its tag."""
    start = header(Type.CHALLENGE, Channel.CONTROL, session)
    return b"".join((start, run_id, nonce, struct.pack(">Q", published)))


def parse_challenge(auth: bytes) -> Challenge:
    """Take a CHALLENGE apart.

    Raises:
        FramingError: its length or a fixed field is wrong.
    """
    _check_length(auth, CHALLENGE_LENGTH)
    _check_start(auth, Type.CHALLENGE, Channel.CONTROL)
    session, counter = _POSITION.unpack_from(auth, START)
    if counter:
        raise FramingError("a CHALLENGE with a counter")
    (published,) = struct.unpack_from(">Q", auth, HEADER + RUN_ID + NONCE)
    run_id = auth[HEADER : HEADER + RUN_ID]
    return Challenge(session, run_id, published, auth[:-TAG], auth[-TAG:])


def parse_tagged(auth: bytes, kind: Type, channel: Channel) -> Tagged:
    """Take a DATA, PING or PONG apart.

    Raises:
        FramingError: its length or a fixed field is wrong, or it is of another channel or type.
    """
    _check_length(auth, TAGGED)
    _check_start(auth, kind, channel)
    session, counter = _POSITION.unpack_from(auth, START)
    return Tagged(session, counter, auth[:HEADER], auth[HEADER:])


def publication(head: bytes, entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PUBLISH with a tag for each of these sessions."""
    parts = [head, len(entries).to_bytes(2, "big")]
    for entry in entries:
        parts += entry
    return b"".join(parts)


def parse_publication(auth: bytes) -> Publication:
    """Take a PUBLISH apart.

    Raises:
        FramingError: its length or a fixed field is wrong, or it has more than 1,024 tags.
    """
    count = int.from_bytes(auth[HEADER:ENTRIES], "big")
    if count > MAX_ENTRIES:
        raise FramingError("more tags than a PUBLISH may have")
    _check_length(auth, ENTRIES + count * ENTRY)
    _check_start(auth, Type.PUBLISH, Channel.IOPUB)
    run, counter = _POSITION.unpack_from(auth, START)
    return Publication(run, counter, auth[:HEADER], auth[ENTRIES:])


def _check_length(auth: bytes, length: int) -> None:
    if len(auth) != length:
        raise FramingError("a length that AUTH does not have here")


def _check_start(auth: bytes, kind: Type, channel: Channel) -> None:
    if not auth.startswith(_STARTS[kind, channel]):
        raise FramingError(f"not a {kind.name} of {channel.value}")


def keyed(key: SecretKey) -> hmac.HMAC:
    """An HMAC-SHA256 to be copied for each message: a third faster than with the key."""
    return hmac.new(key.reveal(), digestmod="sha256")


def mac(key: bytes | hmac.HMAC, *parts: bytes) -> bytes:
    """HMAC-SHA256 over the parts."""
    if isinstance(key, bytes):
        return hmac.digest(key, b"".join(parts), "sha256")
    tag = key.copy()
    feed(tag, parts)
    return tag.digest()


def data_tag(key: bytes | hmac.HMAC, head: bytes, frames: Sequence[bytes]) -> bytes:
    """The tag of DATA (section 4)."""
    return mac(key, head, _lengths(frames), *frames)


def published_digest(head: bytes, topic: bytes, frames: Sequence[bytes]) -> bytes:
    """What the tags of a PUBLISH sign: d (section 4)."""
    signed = (topic, *frames)
    digest = hashlib.sha256()
    feed(digest, (b"publish\0", head, _lengths(signed), *signed))
    return digest.digest()


def published_tag(key: bytes | hmac.HMAC, digest: bytes) -> bytes:
    """The tag of one session's entry in a PUBLISH."""
    return mac(key, digest)[:SHORT_TAG]


def _lengths(frames: Sequence[bytes]) -> bytes:
    sizes = [len(f) if isinstance(f, bytes) else memoryview(f).nbytes for f in frames]
    return struct.pack(f">{len(sizes) + 1}Q", len(sizes), *sizes)
