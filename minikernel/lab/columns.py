"""What the lab attacks: a scheme, and how its kernel is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from minikernel.auth.registry import DEFAULT
from minikernel.transport import plugins

if TYPE_CHECKING:
    from minikernel.auth.spec import Traits


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the matrix.

    Args:
        name: as the user says it.
        letter: as the matrix and the table of expectations say it.
        scheme: as `run --scheme` and `connect(scheme=...)` want it.
        options: of `minikernel run`.
        bare: the victim remembers no replays: its specification does not ask for it.
        curve: whether the sockets are encrypted.
    """

    name: str
    letter: str
    scheme: str
    options: tuple[str, ...] = ()
    bare: bool = False
    curve: bool = False

    @property
    def traits(self) -> Traits:
        """Of the scheme."""
        return plugins.find(self.scheme).traits

    @property
    def signature_scheme(self) -> str:
        """The scheme as the connection file names it."""
        return DEFAULT if self.traits.keyless else self.scheme


OFF = ("--guards", "off")
NULL = Column(name="null", letter="N", scheme="null", options=OFF)
CLEAR_KEY = Column(name="clear-key", letter="K", scheme="clear-key", options=OFF)
ONCE = Column(name="challenge-once", letter="O", scheme="challenge-once", options=OFF)
BARE = Column(name="jupyter-hmac-bare", letter="B", scheme=DEFAULT, options=OFF, bare=True)
GUARDED = Column(name="jupyter-hmac", letter="G", scheme=DEFAULT)
CHANNEL = Column(
    name="channel-hmac",
    letter="C",
    scheme="channel-hmac-sha256",
)
CURVE = Column(
    name="channel-hmac-curve",
    letter="V",
    scheme="channel-hmac-sha256",
    curve=True,
)

SPECIFIED = (NULL, CLEAR_KEY, ONCE, BARE, GUARDED, CHANNEL, CURVE)
COLUMNS = SPECIFIED
"""Those whose scheme kernel and client speak today."""
