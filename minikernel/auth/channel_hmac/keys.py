"""The keys of channel-hmac (its section 2)."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.frames import CODES
from minikernel.auth.hkdf import expand, extract
from minikernel.auth.keys import SecretKey
from minikernel.auth.rights import ALL_RIGHTS, CLIENT_ID, OWNER_ID, OWNER_RIGHTS
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from minikernel.wire.channels import Channel

SALT = b"minikernel channel-hmac 1"
KEY_LENGTH = 32
MIN_MASTER = 16  # bytes


class Direction(enum.IntEnum):
    """Who speaks."""

    TO_KERNEL = 1
    TO_CLIENT = 2


@dataclass(frozen=True)
class Credential:
    """What a client proves itself with.

    Args:
        client_id: of the invitation; the owner's is empty.
        rights: bits of `Right`; the owner's are all 32.
        psk: their key.
    """

    client_id: str
    rights: int
    psk: SecretKey

    @property
    def hello_key(self) -> bytes:
        """k_hello."""
        return expand(self.psk.reveal(), b"hello", KEY_LENGTH)

    @property
    def challenge_key(self) -> bytes:
        """k_chal."""
        return expand(self.psk.reveal(), b"challenge", KEY_LENGTH)


class Master:
    """Derives the credential of every client from the key of a connection file.

    Args:
        key: `key` of the file.

    Raises:
        ConfigError: the key is shorter than 16 bytes.
    """

    def __init__(self, key: SecretKey) -> None:
        if len(key) < MIN_MASTER:
            raise ConfigError("channel-hmac needs a random key of at least 16 bytes")
        self._prk = SecretKey(extract(SALT, key.reveal()))

    def credential(self, client_id: str, rights: int) -> Credential:
        """The credential of a client for whom `is_client` holds."""
        name = client_id.encode()
        info = b"client\0" + rights.to_bytes(4, "big") + len(name).to_bytes(2, "big") + name
        return Credential(
            client_id, rights, SecretKey(expand(self._prk.reveal(), info, KEY_LENGTH))
        )

    def owner(self) -> Credential:
        """The credential of who holds the key itself."""
        return self.credential(OWNER_ID, OWNER_RIGHTS)

    def invite(self, client_id: str, rights: int) -> Credential:
        """The credential of an invitation; `psk` in hex is its file's `client_key`.

        Raises:
            ConfigError: an id or rights that an invitation can't have.
        """
        _check_invitation(client_id, rights)
        return self.credential(client_id, rights)


def invited(client_id: str, rights: int, client_key: str) -> Credential:
    """The credential that a file has in `client_id`, `rights` and `client_key`.

    Raises:
        ConfigError: one of them is not as section 2 says.
    """
    _check_invitation(client_id, rights)
    if not re.fullmatch(r"[0-9a-fA-F]{64}", client_key):
        raise ConfigError("client_key is not 64 hex digits")
    return Credential(client_id, rights, SecretKey(bytes.fromhex(client_key)))


def _check_invitation(client_id: str, rights: int) -> None:
    if not CLIENT_ID.fullmatch(client_id):
        raise ConfigError("client_id is 1 to 64 of A-Z a-z 0-9 . _ @ -")
    if not 0 < rights <= ALL_RIGHTS:
        raise ConfigError("rights of an invitation are a sum of 1, 2, 4, 8, 16, 32, 64, 128")


class SessionKeys:
    """The keys of one session, K[channel, direction].

    Args:
        psk: of the client.
        hello: the whole HELLO.
        challenge: the whole CHALLENGE that answered it.
    """

    def __init__(self, psk: SecretKey, hello: bytes, challenge: bytes) -> None:
        salt = hashlib.sha256(hello + challenge).digest()
        self._prk = SecretKey(extract(salt, psk.reveal()))

    def key(self, channel: Channel, direction: Direction) -> SecretKey:
        """K[channel, direction]."""
        info = b"channel\0" + bytes([CODES[channel], direction])
        return SecretKey(expand(self._prk.reveal(), info, KEY_LENGTH))


def client_key(key: SecretKey, client_id: str, rights: int) -> str:
    """What an invitation has in place of the key. Raises ConfigError."""
    return Master(key).invite(client_id, rights).psk.reveal().hex()
