"""Secrets have a type, so that they don't end up in a repr, a log, a traceback or a pickle."""

from __future__ import annotations

from typing import NoReturn

from minikernel.auth.hkdf import extract


class SecretKey:
    """A key. `reveal()` is the only way to its bytes: search for it to find every use."""

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        self.__value = value

    def __repr__(self) -> str:
        return "SecretKey(<redacted>)"

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __len__(self) -> int:
        return len(self.__value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SecretKey is not pickled")

    def reveal(self) -> bytes:
        """The key's bytes."""
        return self.__value


def ring_mark(key: SecretKey) -> bytes:
    """What says in the file of a replay memory whose key it is for (channel-hmac, section 8)."""
    return extract(b"minikernel ring", key.reveal())[:16]


def kernel_session_id(key: SecretKey) -> str:
    """The session id of every kernel run on this key (channel-hmac, section 8).

    A kernel that knows its own messages, those of earlier runs too, can refuse their reflection.
    """
    return extract(b"minikernel session id", key.reveal())[:16].hex()
