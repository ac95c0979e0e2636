"""What the lab attacks: a scheme, and how its kernel is started."""

from __future__ import annotations

from dataclasses import dataclass

from minikernel.auth import registry


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the matrix.

    Args:
        name: as the user says it.
        letter: as the matrix and the table of expectations say it.
        scheme: as `run --scheme` and `connect(scheme=...)` want it.
        options: of `minikernel run`.
        bare: the victim remembers no replays, because its specification does not ask for it.
        handshake: whether a client shakes hands before it speaks.
        invitations: whether another client can be given a key of its own.
        curve: whether the sockets are encrypted.
    """

    name: str
    letter: str
    scheme: str
    options: tuple[str, ...] = ()
    bare: bool = False
    handshake: bool = False
    invitations: bool = False
    curve: bool = False

    @property
    def signature_scheme(self) -> str:
        """Of the connection file."""
        return registry.DEFAULT if self.scheme == registry.NULL else self.scheme


OFF = ("--guards", "off")
CHALLENGE_ONCE = "challenge-once"
NULL = Column(name="null", letter="N", scheme=registry.NULL, options=OFF)
CLEAR_KEY = Column(name="clear-key", letter="K", scheme="clear-key", options=OFF)
ONCE = Column(name=CHALLENGE_ONCE, letter="O", scheme=CHALLENGE_ONCE, options=OFF, handshake=True)
BARE = Column(name="jupyter-hmac-bare", letter="B", scheme=registry.DEFAULT, options=OFF, bare=True)
GUARDED = Column(name="jupyter-hmac", letter="G", scheme=registry.DEFAULT)
CHANNEL = Column(
    name="channel-hmac",
    letter="C",
    scheme=registry.CHANNEL_HMAC,
    handshake=True,
    invitations=True,
)
CURVE = Column(
    name="channel-hmac-curve",
    letter="V",
    scheme=registry.CHANNEL_HMAC,
    handshake=True,
    invitations=True,
    curve=True,
)

SPECIFIED = (NULL, CLEAR_KEY, ONCE, BARE, GUARDED, CHANNEL, CURVE)
COLUMNS = SPECIFIED
"""Those whose scheme kernel and client speak today."""
