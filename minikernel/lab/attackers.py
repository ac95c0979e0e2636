"""What attackers know, and how they write: frames, copied or made, and whose hand signs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from minikernel.auth.channel_hmac.frames import (
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
from minikernel.auth.channel_hmac.keys import Direction, Master, SessionKeys
from minikernel.auth.rights import Right
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from minikernel.auth.channel_hmac.keys import Credential
    from minikernel.auth.keys import SecretKey
    from minikernel.auth.scheme import KeyScheme
    from minikernel.lab.network.passing import Passing
    from minikernel.wire.message import Json

COUNTER = slice(HEADER - 8, HEADER)
PING = header(Type.PING, Channel.HEARTBEAT, bytes(SESSION_ID), 0)[:START]  # what it begins with
GUEST_RIGHTS = Right.OBSERVE | Right.EXECUTE | Right.INPUT


class Pen(Protocol):
    """Makes a signature frame for frames, in the place of one that was seen."""

    def sign(self, seen: Passing, frames: Sequence[bytes]) -> bytes:
        """The signature."""


class Copy:
    """Holds no key: copies what it has seen, with the next counter if there is one."""

    def sign(self, seen: Passing, _frames: Sequence[bytes]) -> bytes:
        """Return what was there."""
        auth = signature(seen)
        if not auth.startswith(MAGIC):
            return auth
        following = int.from_bytes(auth[COUNTER], "big") + 1
        return auth[: HEADER - 8] + following.to_bytes(8, "big") + auth[HEADER:]


class SharedKey:
    """Holds the key that all clients and the kernel share."""

    def __init__(self, scheme: KeyScheme) -> None:
        self._scheme = scheme

    def sign(self, _seen: Passing, frames: Sequence[bytes]) -> bytes:
        """Sign as anybody who holds the key would."""
        return self._scheme.sign(frames)


class SessionKey:
    """Holds the keys of a session of channel-hmac, its own or the victim's.

    Args:
        keys: of that session.
        ahead: what is added to the counter of what was seen on iopub, 0 to take its place.
    """

    def __init__(self, keys: SessionKeys, ahead: int = 0) -> None:
        self._keys = keys
        self._ahead = ahead

    def sign(self, seen: Passing, frames: Sequence[bytes]) -> bytes:
        """Sign in the session of what was seen."""
        auth = signature(seen)
        if seen.channel is Channel.IOPUB:
            return self._publication(seen, frames)
        to = Direction.TO_KERNEL if seen.to is Role.KERNEL else Direction.TO_CLIENT
        key = self._keys.key(seen.channel, to).reveal()
        return auth[:HEADER] + data_tag(key, auth[:HEADER], frames)

    def _publication(self, seen: Passing, frames: Sequence[bytes]) -> bytes:
        auth = signature(seen)
        number = int.from_bytes(auth[COUNTER], "big") + self._ahead
        head = header(Type.PUBLISH, Channel.IOPUB, auth[START : START + SESSION_ID], number)
        digest = published_digest(head, seen.frames[0], frames)
        key = self._keys.key(Channel.IOPUB, Direction.TO_CLIENT).reveal()
        sessions = [auth[at : at + SESSION_ID] for at in range(ENTRIES, len(auth), 24)]
        return publication(head, [(sid, published_tag(key, digest)) for sid in sessions])


def invitation(key: SecretKey, client_id: str, rights: int) -> dict[str, str | int]:
    """The fields of a connection file that take the place of its key."""
    psk = Master(key).invite(client_id, rights).psk.reveal().hex()
    return {"client_id": client_id, "rights": int(rights), "client_key": psk}


def session_pen(tape: Iterable[Passing], key: SecretKey, guest: str | None = None) -> SessionKey:
    """The hand of who holds the key of the last session on a tape: the owner's, or a guest's."""
    if guest is None:
        return SessionKey(session_keys(tape, Master(key).owner()))
    return SessionKey(session_keys(tape, Master(key).invite(guest, GUEST_RIGHTS)), ahead=1)


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
    """The type of a message; empty for anything else."""
    if not is_message(passing):
        return ""
    return str(json.loads(parts(passing)[0])["msg_type"])


def session(passing: Passing) -> str:
    """`header.session` of a message."""
    return str(json.loads(parts(passing)[0])["session"])


def content(passing: Passing) -> dict[str, Any]:
    """The content of a message."""
    found: dict[str, Any] = json.loads(parts(passing)[3])
    return found


def parent_id(passing: Passing) -> str:
    """The msg_id that a message answers."""
    return str(json.loads(parts(passing)[1]).get("msg_id", ""))


def retold(seen: Passing, pen: Pen, **changed: Json) -> Passing:
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
