"""The seam between the wire and who said it: a scheme owns one frame, the signature."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from minikernel.errors import FramingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from minikernel.wire.channels import Channel

    Route = tuple[bytes, ...]


class Peer(Protocol):
    """Who sent a message, as far as the scheme can tell; also the address of the answer."""

    @property
    def session(self) -> str | None:
        """Its id; None: a holder of the key, no more can be said."""

    @property
    def route(self) -> Route:
        """The identities that lead back; on iopub the topic."""


class Address(NamedTuple):
    """A peer of whom no more is known than where it is."""

    route: Route
    session: str | None = None


class Sealed(NamedTuple):
    """What goes before the frames of a message."""

    route: Route
    signature: bytes


class Scheme(Protocol):
    """One end's side of a signature scheme, for all its channels."""

    name: str
    own_types: frozenset[str]  # message types besides Jupyter's that its peers send

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Messages that were sent and never came, by channel, as far as it can tell."""

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        """What goes before these frames; None: there is no way to the peer yet, keep them.

        The caller hands the message over before it seals the next one for the same channel.

        Raises:
            UnknownSession: the peer is gone.
        """

    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route
    ) -> Peer:
        """Who sent these frames.

        Check, verify, mark: nothing changes before the signature has verified.

        Raises:
            AuthError: nobody who may, or not now.
        """

    def greet(self, channel: Channel, frame: bytes, route: Route) -> bytes | None:
        """Take a message that is one frame, of a handshake; what to send back in such a one.

        Raises:
            RemoteProtocolError: it is no such message, or proves nothing.
        """

    def permit(self, peer: Peer, msg_type: str, session: str) -> None:
        """See that a peer may say this, with this `header.session`.

        Raises:
            ContentError: it may not.
        """


class KeyScheme(ABC):
    """What the schemes have in common that know a key, and nobody who holds it."""

    own_types: frozenset[str] = frozenset()
    gaps: ClassVar[Mapping[Channel, int]] = MappingProxyType({})

    @abstractmethod
    def sign(self, frames: Sequence[bytes]) -> bytes:
        """The signature of these frames."""

    @abstractmethod
    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:
        """Raises AuthError if it is not theirs, or not now."""

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:  # noqa: ARG002 - the seam's signature, here and below
        """The signature, on the way by which the peer came."""
        return Sealed(to.route, self.sign(frames))

    def open(
        self,
        channel: Channel,  # noqa: ARG002
        signature: bytes,
        frames: Sequence[bytes],
        route: Route,
    ) -> Peer:
        """Somebody who holds the key. Raises AuthError."""
        self.verify(signature, frames)
        return Address(route)

    def greet(self, channel: Channel, frame: bytes, route: Route) -> bytes | None:  # noqa: ARG002
        """There is no handshake. Raises FramingError."""
        raise FramingError("nothing after the signature")

    def permit(self, peer: Peer, msg_type: str, session: str) -> None:  # noqa: B027 - nothing to do
        """Whoever holds the key may say anything."""


class Greeting(NamedTuple):
    """One frame of a handshake, to be sent with nothing after it."""

    channel: Channel
    frame: bytes


class Plea(NamedTuple):
    """A message of a handshake, to be sealed in this session."""

    channel: Channel
    msg_type: str
    content: Mapping[str, object]
    session: str | None


class Fate(enum.Enum):
    """What became of a request whose answer has not come when its session was replaced."""

    COMING = "its answer is still to come"
    RAN = "it ran, but its reply is lost"
    NEVER_RAN = "it never ran and never will"
    UNKNOWN = "nobody knows whether it ran"


class Joining(Scheme, Protocol):
    """A client's side of a scheme that shakes hands before it lets anybody speak."""

    observes: bool  # whether the kernel's publications are for this client
    connected: bool  # whether they arrive, if so
    refusal: str | None  # why the kernel lets this client in no more

    def renew(self, now: float) -> None:
        """Shake hands, because a client has started or one of its connections was lost.

        Args:
            now: seconds, monotonic; here and below.
        """

    def due(self, now: float) -> Sequence[Greeting | Plea]:
        """What is to be sent now."""

    def wait(self, now: float) -> float | None:
        """Seconds until something is due; None: nothing is."""

    def is_ready(self, channel: Channel) -> bool:
        """Whether a request may be sent on this channel."""

    def take(
        self, channel: Channel, peer: Peer, msg_type: str, content: Mapping[str, object]
    ) -> None:
        """Look at a message that has verified: it may be an answer to a Plea."""

    @property
    def under_way(self) -> Collection[Channel]:
        """Where messages of a handshake may come, so that somebody must look there."""

    @property
    def has_taken_over(self) -> bool:
        """Whether a new session has taken the place of one, and `fates` was not asked yet."""

    def fates(
        self, asked: Mapping[Channel, Mapping[str, bytes]]
    ) -> Mapping[tuple[Channel, str], Fate]:
        """What became of requests that are not answered yet; to be asked once.

        Args:
            asked: by channel, msg_id -> signature frame, in the order of sending.
        """
