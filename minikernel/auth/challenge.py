"""The one-time challenge of `multiprocessing.connection`, without the connection.

One side sends a nonce, the other answers with its HMAC under a key that both hold. Mutual: once
more, the other way round; a `Listener` challenges first. Nothing is derived from it, and both
directions use the same construction: docs/challenge.md says what that lets through.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minikernel.errors import ChallengeError, ConfigError, LocalProtocolError

if TYPE_CHECKING:
    from minikernel.auth.keys import SecretKey

CHALLENGE, WELCOME, FAILURE = b"#CHALLENGE#", b"#WELCOME#", b"#FAILURE#"
MAX_MESSAGE = 256  # bytes that CPython reads of one message of a handshake
MIN_NONCE = 20  # bytes that every CPython sends at least


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What the messages contain."""

    name: str
    hash: str
    nonce_length: int  # bytes that a challenger draws
    tag: bytes = b""  # names the hash, before the nonce and before the answer; the HMAC covers it
    words: bool = True  # #CHALLENGE# before a challenge, #WELCOME# or #FAILURE# after the answer

    @property
    def answer_length(self) -> int:
        """Bytes of an answer."""
        return len(self.tag) + hashlib.new(self.hash, usedforsecurity=False).digest_size


SHA256 = Dialect(name="sha256", hash="sha256", nonce_length=40, tag=b"{sha256}")
"""Python 3.12 and later (gh-61460)."""

MD5 = Dialect(name="md5", hash="md5", nonce_length=20)
"""Python up to 3.11. Later ones answer it too, and nobody here speaks it unless asked to."""

PLAIN = Dialect(name="plain", hash="sha256", nonce_length=32, words=False)
"""The cookbook's echo server: 32 random bytes, an HMAC back, no verdict."""


class Challenger:
    """Asks a peer, once, to prove that it holds the key.

    Args:
        key: shared with the peer.
        nonce: fresh entropy, `dialect.nonce_length` bytes.
        dialect: of both ends.

    Raises:
        ConfigError: an empty key.
        LocalProtocolError: a nonce of another length.
    """

    def __init__(self, key: SecretKey, *, nonce: bytes, dialect: Dialect = SHA256) -> None:
        _refuse_empty(key)
        if len(nonce) != dialect.nonce_length:
            raise LocalProtocolError(f"a nonce of {len(nonce)} bytes, not {dialect.nonce_length}")
        self.dialect = dialect
        self._key = key
        self._message = dialect.tag + nonce
        self._spent = False

    @property
    def challenge(self) -> bytes:
        """What to send first."""
        return CHALLENGE + self._message if self.dialect.words else self._message

    def verify(self, answer: bytes) -> bytes:
        """Judge the peer's answer; the verdict to send, empty where the dialect has none.

        Raises:
            ChallengeError: the peer did not prove it; `reply` is what to send before closing.
            LocalProtocolError: there was an answer already. A second guess needs a new nonce.
        """
        if self._spent:
            raise LocalProtocolError("a challenge takes one answer")
        self._spent = True
        words = self.dialect.words
        if not hmac.compare_digest(_answer(self._key, self._message, self.dialect), answer):
            raise ChallengeError(self._complaint(answer), reply=FAILURE if words else b"")
        return WELCOME if words else b""

    def _complaint(self, answer: bytes) -> str:
        if self.dialect.tag and len(answer) == MD5.answer_length:
            return "the peer answered in MD5, as Python 3.11 and earlier do"
        return "the peer's answer is wrong: another key, or another dialect"


class Responder:
    """Proves to a peer, once, that we hold the key.

    Args:
        key: shared with the peer.
        dialect: of both ends.

    Raises:
        ConfigError: an empty key.
    """

    def __init__(self, key: SecretKey, *, dialect: Dialect = SHA256) -> None:
        _refuse_empty(key)
        self.dialect = dialect
        self._key = key
        self._awaits = _CHALLENGE

    def answer(self, challenge: bytes) -> bytes:
        """The answer to the peer's challenge.

        Raises:
            ChallengeError: it is not a challenge of this dialect; nothing is to be sent.
            LocalProtocolError: there was one already.
        """
        self._step(_CHALLENGE, _VERDICT if self.dialect.words else _NOTHING)
        return _answer(self._key, _message(challenge, self.dialect), self.dialect)

    def conclude(self, verdict: bytes) -> None:
        """Take the peer's verdict on our answer, in dialects that have one.

        Raises:
            ChallengeError: our answer was refused.
            LocalProtocolError: no verdict is due.
        """
        self._step(_VERDICT, _NOTHING)
        if verdict == FAILURE:
            raise ChallengeError("the peer refused our answer: it holds another key")
        if verdict != WELCOME:
            raise ChallengeError("the peer sent neither #WELCOME# nor #FAILURE#")

    def _step(self, due: str, then: str) -> None:
        if self._awaits != due:
            raise LocalProtocolError(f"got a {due}, and {self._awaits} is due")
        self._awaits = then


_CHALLENGE, _VERDICT, _NOTHING = "challenge", "verdict", "nothing"  # what a Responder awaits


def _message(challenge: bytes, dialect: Dialect) -> bytes:
    """What the HMAC covers: the challenge without its word, with the tag of its hash."""
    if not dialect.words:
        if len(challenge) != dialect.nonce_length:
            raise ChallengeError(f"a challenge has {dialect.nonce_length} bytes")
        return challenge
    if not challenge.startswith(CHALLENGE) or len(challenge) > MAX_MESSAGE:
        raise ChallengeError("the peer did not begin with a challenge")
    message = challenge[len(CHALLENGE) :]
    if len(message) < len(dialect.tag) + MIN_NONCE or not message.startswith(dialect.tag):
        raise ChallengeError(
            "the peer asks for MD5, as Python 3.11 and earlier do"
            if dialect.tag and len(message) == MD5.nonce_length
            else f"the peer's challenge is not one of the dialect {dialect.name}"
        )
    return message


def _answer(key: SecretKey, message: bytes, dialect: Dialect) -> bytes:
    return dialect.tag + hmac.digest(key.reveal(), message, dialect.hash)


def _refuse_empty(key: SecretKey) -> None:
    if not key:
        raise ConfigError("the key of a challenge is empty")
