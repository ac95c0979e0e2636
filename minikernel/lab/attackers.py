"""What attackers know, and how they write: frames, copied or made, and whose hand signs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from minikernel.auth.channel_hmac_frames import (
    ENTRIES,
    HEADER,
    MAGIC,
    SESSION_ID,
    START,
    Type,
    data_tag,
    header,
    parse_challenge,
    publication,
    published_digest,
    published_tag,
)
from minikernel.auth.channel_hmac_keys import Direction, SessionKeys
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from minikernel.auth.channel_hmac_keys import Credential
    from minikernel.auth.scheme import KeyScheme
    from minikernel.transport.passing import Passing

COUNTER = slice(HEADER - 8, HEADER)


class Pen(Protocol):
    """Makes a signature frame for frames, in the place of one that was seen."""

    def sign(self, seen: Passing, frames: Sequence[bytes]) -> bytes:
        """The signature."""


class Copy:
    """Holds no key: copies what it has seen, with the next counter if there is one."""

    def sign(self, seen: Passing, frames: Sequence[bytes]) -> bytes:  # noqa: ARG002 - a Pen
        """What stood there."""
        auth = signature(seen)
        if not auth.startswith(MAGIC):
            return auth
        following = int.from_bytes(auth[COUNTER], "big") + 1
        return auth[: HEADER - 8] + following.to_bytes(8, "big") + auth[HEADER:]


class SharedKey:
    """Holds the key that all clients and the kernel share."""

    def __init__(self, scheme: KeyScheme) -> None:
        self._scheme = scheme

    def sign(self, seen: Passing, frames: Sequence[bytes]) -> bytes:  # noqa: ARG002 - a Pen
        """As anybody who holds the key would."""
        return self._scheme.sign(frames)


class SessionKey:
    """Holds the keys of a session of channel-hmac, its own or the victim's."""

    def __init__(self, keys: SessionKeys) -> None:
        self._keys = keys

    def sign(self, seen: Passing, frames: Sequence[bytes]) -> bytes:
        """In the session and with the counter of what was seen, on iopub with the next one."""
        auth = signature(seen)
        if seen.channel is Channel.IOPUB:
            return self._publication(seen, frames)
        to = Direction.TO_KERNEL if seen.to is Role.KERNEL else Direction.TO_CLIENT
        key = self._keys.key(seen.channel, to).reveal()
        return auth[:HEADER] + data_tag(key, auth[:HEADER], frames)

    def _publication(self, seen: Passing, frames: Sequence[bytes]) -> bytes:
        auth = signature(seen)
        number = int.from_bytes(auth[COUNTER], "big")
        head = header(Type.PUBLISH, Channel.IOPUB, auth[START : START + SESSION_ID], number)
        digest = published_digest(head, seen.frames[0], frames)
        key = self._keys.key(Channel.IOPUB, Direction.TO_CLIENT).reveal()
        sessions = [auth[at : at + SESSION_ID] for at in range(ENTRIES, len(auth), 24)]
        return publication(head, [(sid, published_tag(key, digest)) for sid in sessions])


def session_keys(tape: Iterable[Passing], credential: Credential) -> SessionKeys:
    """The keys of the last session on a tape, for one who holds its credential."""
    hello = challenge = b""
    for passing in tape:
        if is_greeting(passing):
            if passing.to is Role.KERNEL:
                hello_seen = passing.frames[-1]
            else:
                parse_challenge(passing.frames[-1])
                hello, challenge = hello_seen, passing.frames[-1]
    return SessionKeys(credential.psk, hello, challenge)


def is_greeting(passing: Passing) -> bool:
    """Whether it is a message of a handshake: one frame after the delimiter."""
    return len(passing.frames) > 1 and passing.frames[-2] == DELIMITER


def is_message(passing: Passing) -> bool:
    """Whether it has the parts of a Jupyter message."""
    return DELIMITER in passing.frames and not is_greeting(passing)


def signature(passing: Passing) -> bytes:
    """The frame behind the delimiter."""
    return passing.frames[passing.frames.index(DELIMITER) + 1]


def parts(passing: Passing) -> list[bytes]:
    """Header, parent_header, metadata, content and buffers."""
    return passing.frames[passing.frames.index(DELIMITER) + 2 :]


def msg_type(passing: Passing) -> str:
    """Of a message; empty for what is none."""
    if not is_message(passing):
        return ""
    return str(json.loads(parts(passing)[0])["msg_type"])


def content(passing: Passing) -> dict[str, Any]:
    """Of a message."""
    found: dict[str, Any] = json.loads(parts(passing)[3])
    return found


def parent_id(passing: Passing) -> str:
    """The msg_id that a message answers."""
    return str(json.loads(parts(passing)[1]).get("msg_id", ""))


def retold(seen: Passing, pen: Pen, **changed: Any) -> Passing:  # noqa: ANN401 - JSON
    """A message that was seen, as another hand would have it.

    Args:
        seen: the message.
        pen: signs it.
        changed: `header` and `content` are updated by these, `parent_header` and `metadata`
            replaced; `buffers` replaced.
    """
    head, parent, metadata, said, *buffers = parts(seen)
    frames = [
        _updated(head, changed.get("header", {})),
        json.dumps(changed["parent_header"]).encode() if "parent_header" in changed else parent,
        json.dumps(changed["metadata"]).encode() if "metadata" in changed else metadata,
        _updated(said, changed.get("content", {})),
        *changed.get("buffers", buffers),
    ]
    before = seen.frames[: seen.frames.index(DELIMITER)]
    return seen._replace(frames=[*before, DELIMITER, pen.sign(seen, frames), *frames])


def _updated(frame: bytes, changes: Mapping[str, Any]) -> bytes:
    return json.dumps({**json.loads(frame), **changes}).encode() if changes else frame
