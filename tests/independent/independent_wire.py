"""Keys and bytes of channel-hmac, written from its specification alone; nothing of the project."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

DELIMITER = b"<IDS|MSG>"
MAGIC = b"MKC1"
HELLO, CHALLENGE, DATA, PUBLISH, PING, PONG = 1, 2, 16, 17, 18, 19
CHANNELS = {"shell": 1, "control": 2, "stdin": 3, "iopub": 4, "heartbeat": 5}
TO_KERNEL, TO_CLIENT = 1, 2
OWNER = 0xFFFFFFFF
NOBODY = bytes(8)


# Section 2, keys


def extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, ikm, "sha256")


def expand(prk: bytes, info: bytes) -> bytes:
    """The first 32 bytes of HKDF-Expand, which are one block."""
    return hmac.digest(prk, info + b"\x01", "sha256")


def client_psk(key: str, client_id: str = "", rights: int = OWNER) -> bytes:
    prk = extract(b"minikernel channel-hmac 1", key.encode())
    name = client_id.encode()
    return expand(prk, b"client\0" + struct.pack(">IH", rights, len(name)) + name)


def invitation(info: dict[str, Any], client_id: str, rights: int) -> dict[str, Any]:
    """The connection file of an invited client, made of the owner's."""
    given = {name: value for name, value in info.items() if name != "key"}
    psk = client_psk(info["key"], client_id, rights)
    return {**given, "client_id": client_id, "rights": rights, "client_key": psk.hex()}


class Session:
    """What both ends have agreed on, and how far each channel has come."""

    def __init__(self, psk: bytes, hello: bytes, challenge: bytes) -> None:
        self.id = challenge[8:16]
        self.run_id = challenge[24:40]
        (self.published,) = struct.unpack(">Q", challenge[72:80])
        secret = extract(hashlib.sha256(hello + challenge).digest(), psk)
        self.keys = {
            (name, direction): expand(secret, b"channel\0" + bytes([number, direction]))
            for name, number in CHANNELS.items()
            for direction in (TO_KERNEL, TO_CLIENT)
        }
        self.sent = dict.fromkeys(CHANNELS, 0)
        self.received = {**dict.fromkeys(CHANNELS, 0), "iopub": self.published}
        self.gaps = dict.fromkeys(CHANNELS, 0)
        self.heard = False  # a PUBLISH has verified

    def mark(self, channel: str, counter: int) -> None:
        begun = channel != "iopub" or self.heard
        self.gaps[channel] += begun and counter != self.received[channel] + 1
        self.received[channel] = counter
        self.heard = self.heard or channel == "iopub"


# Sections 1, 3 and 4, the bytes


def head(kind: int, channel: str, session: bytes = NOBODY, counter: int = 0) -> bytes:
    return struct.pack(">4sBBH8sQ", MAGIC, kind, CHANNELS[channel], 0, session, counter)


def hello(psk: bytes, nonce: bytes, rights: int, client_id: str) -> bytes:
    name = client_id.encode()
    said = head(HELLO, "control") + nonce + struct.pack(">IH", rights, len(name)) + name
    return said + hmac.digest(expand(psk, b"hello"), said, "sha256")


def challenge_tag(psk: bytes, hello: bytes, before: bytes) -> bytes:
    return hmac.digest(expand(psk, b"challenge"), hello + before, "sha256")


def lengths(frames: Iterable[bytes]) -> bytes:
    sizes = [len(f) for f in frames]
    return struct.pack(f">{1 + len(sizes)}Q", len(sizes), *sizes)


def data_tag(key: bytes, head24: bytes, frames: list[bytes]) -> bytes:
    return hmac.digest(key, head24 + lengths(frames) + b"".join(frames), "sha256")


def publish_tag(key: bytes, head24: bytes, topic: bytes, frames: list[bytes]) -> bytes:
    covered = [topic, *frames]
    digest = hashlib.sha256(b"publish\0" + head24 + lengths(covered) + b"".join(covered)).digest()
    return hmac.digest(key, digest, "sha256")[:16]


def heartbeat(key: bytes, kind: int, session: bytes, counter: int) -> bytes:
    said = head(kind, "heartbeat", session, counter)
    return said + hmac.digest(key, said, "sha256")


# Section 5, the verdict


class Rejected(Exception):
    """A message from the kernel that is not as the specification says."""


def require(claim: object, reason: str, about: object = "") -> None:
    if not claim:
        raise Rejected(f"{reason} {about}")
