"""Who is at the other end of a message, and the way back."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

Route: TypeAlias = tuple[bytes, ...]
"""The identities that lead back to a peer; on iopub the topic."""


class Peer(Protocol):
    """Who sent a message, as far as the scheme can tell; also the address of the answer."""

    @property
    def session(self) -> str | None:
        """Its id; None: a holder of the key, no more can be said."""

    @property
    def route(self) -> Route:
        """The identities that lead back; on iopub the topic."""

    @property
    def client_id(self) -> str | None:
        """Its name, verified; the owner's is empty. None: a holder of the key, as above."""

    @property
    def announced(self) -> bool:
        """Whether busy and idle go around the refusal of what it asks for."""


class Address(NamedTuple):
    """A peer of whom no more is known than where it is."""

    route: Route
    session: str | None = None

    @property
    def client_id(self) -> str | None:
        """Unknown."""
        return None

    @property
    def announced(self) -> bool:
        """Stock clients wait for the idle of whatever they ask."""
        return True
