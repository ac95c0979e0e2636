"""The keys of channel-hmac (its section 2), and what an invitation may do."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass

from minikernel.auth.channel_hmac_frames import CODES
from minikernel.auth.hkdf import expand, extract
from minikernel.auth.keys import SecretKey
from minikernel.errors import ConfigError
from minikernel.wire.channels import COMMS, Channel

SALT = b"minikernel channel-hmac 1"
KEY_LENGTH = 32
MIN_MASTER = 16  # bytes
OWNER_ID = ""
OWNER_RIGHTS = 0xFFFFFFFF
CLIENT_ID = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Right(enum.IntFlag):
    """What the holder of an invitation may do (section 2); the names are the command line's."""

    OBSERVE = 1  # gets iopub tags
    EXECUTE = 2
    INTROSPECT = 4
    INPUT = 8  # works with execute only
    INTERRUPT = 16
    SHUTDOWN = 32
    COMMS = 64
    DEBUG = 128  # and subshells


ALL_RIGHTS = 0xFF
ALWAYS = frozenset({"bind_request", "kernel_info_request", "auth_status_request"})
# The right of a type that is not here, nor always allowed: execute, as the strongest.
REQUIRED: dict[str, int] = {
    "execute_request": Right.EXECUTE.value,
    "input_reply": (Right.INPUT | Right.EXECUTE).value,
    "interrupt_request": Right.INTERRUPT.value,
    "shutdown_request": Right.SHUTDOWN.value,
    **dict.fromkeys(COMMS, Right.COMMS.value),
    **dict.fromkeys(
        (
            "complete_request",
            "inspect_request",
            "is_complete_request",
            "history_request",
            "comm_info_request",
            "connect_request",
            "usage_request",
        ),
        Right.INTROSPECT.value,
    ),
    **dict.fromkeys(
        (
            "debug_request",
            "create_subshell_request",
            "delete_subshell_request",
            "list_subshell_request",
        ),
        Right.DEBUG.value,
    ),
}


def permits(rights: int, msg_type: str) -> bool:
    """Whether these rights allow a message of this type to the kernel."""
    if msg_type in ALWAYS:
        return True
    required = REQUIRED.get(msg_type, Right.EXECUTE.value)
    return rights & required == required


def parse_rights(text: str) -> int:
    """The bits of names such as "observe,execute".

    Raises:
        ConfigError: a name that no right has, or none at all.
    """
    rights = 0
    for name in text.split(","):
        right = Right.__members__.get(name.strip().upper())
        if right is None:
            known = ", ".join(known.lower() for known in Right.__members__)
            raise ConfigError(f"there is no right {name.strip()!r}; there are: {known}")
        rights |= right.value
    return rights


def is_client(client_id: str, rights: int) -> bool:
    """Whether it is the owner, or could be an invitation's id with rights (section 2)."""
    if client_id == OWNER_ID:
        return rights == OWNER_RIGHTS
    return bool(CLIENT_ID.fullmatch(client_id)) and 0 < rights <= ALL_RIGHTS


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
