"""The seam between the wire and who said it: a scheme owns one frame, the signature.

What is above `auth` has one of the two sides of a scheme, and knows it by its `Traits`, in
`auth/spec.py`; docs/scheme.md makes one.
"""

# ruff: noqa: ARG002 - a default of the seam needs nothing of what it is told

from __future__ import annotations

import enum
from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Protocol

from minikernel.errors import FramingError, PermissionDenied
from minikernel.wire.content import ok
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from minikernel.errors import ContentError
    from minikernel.wire.channels import Channel
    from minikernel.wire.peer import Peer, Route


class Sealed(NamedTuple):
    """What goes before the frames of a message."""

    route: Route
    signature: bytes


class Scheme(Protocol):
    """One end's side of a signature scheme, for all its channels.

    Whoever calls it has the clock: `now` is in seconds, monotonic, here and below.
    """

    own_types: frozenset[str] = frozenset()  # message types besides Jupyter's that its peers send

    @property
    def gaps(self) -> Mapping[Channel, int]:
        """Messages that were sent and never came, by channel, as far as it can tell."""
        return {}

    @abstractmethod
    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        """What goes before these frames; None: there is no way to the peer yet, keep them.

        The caller hands the message over before it seals the next one for the same channel.

        Raises:
            UnknownSession: the peer is gone.
        """

    @abstractmethod
    def open(
        self, channel: Channel, signature: bytes, frames: Sequence[bytes], route: Route, now: float
    ) -> Peer:
        """Who sent these frames.

        Check, verify, mark: nothing changes before the signature has verified.

        Raises:
            AuthError: nobody who may, or not now.
        """

    def greet(self, channel: Channel, frame: bytes, route: Route, now: float) -> bytes | None:
        """Take a message that is one frame, of a handshake; what to send back in such a one.

        Raises:
            RemoteProtocolError: it is not such a message, or proves nothing.
        """
        raise FramingError("nothing after the signature")

    def claim(self, peer: Peer, msg_type: str, session: str) -> None:
        """Note under which `header.session` a peer speaks.

        Raises:
            ContentError: it is somebody else's, or none may be claimed now.
        """
        return

    def may(self, peer: Peer, msg_type: str) -> bool:
        """Whether a peer has the right to say this; changes nothing."""
        return True

    def forget(self) -> None:
        """In the child after a fork: forget all keys, and send nothing."""
        return


class KernelSide(Scheme, Protocol):
    """The kernel's side; what is here is for schemes with sessions and an own heartbeat."""

    def gaps_for(self, peer: Peer) -> Mapping[str, Mapping[Channel, int]]:
        """`gaps`, as this peer may know them: name -> channel -> how many."""
        return {"gaps": {}}

    def bind(
        self, peer: Peer, replaces: str | None, now: float, *, busy: bool
    ) -> Mapping[str, object]:
        """The content of the bind_reply on control.

        Args:
            peer: who asks for a place.
            replaces: the session whose place that is to be.
            now: seconds, monotonic.
            busy: a request is running, and others may be queued behind.

        Raises:
            ContentError: there is none.
        """
        return ok()

    def leave(self, peer: Peer) -> None:
        """A client says goodbye."""
        return

    def may_welcome(self, peer: Peer, now: float) -> bool:
        """Whether an iopub_welcome is due to a client that has bound itself."""
        return False

    def current(self, peer: Peer) -> str | None:
        """The session that gets what is said to this peer; None: it is gone."""
        return ""

    def pong(self, ping: bytes, now: float) -> bytes:
        """The answer to a ping. Raises RemoteProtocolError."""
        raise FramingError("heartbeats are not authenticated")

    def expire(self, now: float) -> None:
        """Drop who has been silent for long; called while no request is queued or running."""
        return


class ClientSide(Scheme, Protocol):
    """A client's side; what is here is for schemes with a handshake, rights, or a heartbeat."""

    observes: bool = True  # whether the kernel's publications are for this client
    connected: bool = True  # whether they arrive, if so
    refusal: str | None = None  # why the kernel lets this client in no more
    refused_as: type[ContentError] = PermissionDenied  # what it calls that
    renewed: float = 0.0  # when it began to shake hands last; seconds, monotonic

    @property
    def under_way(self) -> Collection[Channel]:
        """Where messages of a handshake may come, so that somebody must look there."""
        return ()

    @property
    def has_taken_over(self) -> bool:
        """Whether a new session has taken the place of one, and `fates` was not asked yet."""
        return False

    @property
    def name_in_force(self) -> str | None:
        """`header.session` of what this client sends from now on; None: as it is."""
        return None

    def permits(self, msg_type: str) -> bool:
        """Whether this client's rights allow such a message to the kernel."""
        return True

    def renew(self, now: float) -> None:
        """Shake hands, because a client has started or one of its connections was lost."""
        return

    def due(self, now: float) -> Sequence[Greeting | HandshakeRequest]:
        """What is to be sent now."""
        return ()

    def wait(self, now: float) -> float | None:
        """Seconds until something is due; None: nothing is."""
        return None

    def is_ready(self, channel: Channel) -> bool:
        """Whether a request may be sent on this channel."""
        return True

    def take(
        self,
        channel: Channel,
        peer: Peer,
        msg_type: str,
        content: Mapping[str, object],
        name: str | None = None,
    ) -> None:
        """Look at a message that has verified: it may be an answer to a HandshakeRequest.

        Args:
            channel: where it came.
            peer: who sent it.
            msg_type: of its header.
            content: of it.
            name: `session` in its parent_header.
        """
        return

    def farewells(self) -> Sequence[HandshakeRequest]:
        """What a client says that leaves and waits for nothing more."""
        return ()

    def fates(
        self, asked: Mapping[Channel, Mapping[str, bytes]]
    ) -> Mapping[tuple[Channel, str], Fate]:
        """What became of requests that are not answered yet; to be asked once.

        Args:
            asked: by channel, msg_id -> signature frame, in the order of sending.
        """
        return {}

    def ping(self) -> bytes | None:
        """The next ping; None: not yet. From any thread."""
        return None

    def take_pong(self, frame: bytes) -> None:
        """Take a pong; from any thread. Raises RemoteProtocolError."""
        raise FramingError("heartbeats are not authenticated")


class KeyScheme(KernelSide, ClientSide):
    """Both sides of the schemes that know a key, and nobody who holds it."""

    name: str

    @abstractmethod
    def sign(self, frames: Sequence[bytes]) -> bytes:
        """The signature of these frames."""

    @abstractmethod
    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:
        """Raises AuthError if it is not theirs, or not now."""

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        """The signature, on the way by which the peer came."""
        return Sealed(to.route, self.sign(frames))

    def open(
        self,
        channel: Channel,
        signature: bytes,
        frames: Sequence[bytes],
        route: Route,
        now: float = 0.0,
    ) -> Peer:
        """Somebody who holds the key. Raises AuthError."""
        self.verify(signature, frames)
        return Address(route)


class Greeting(NamedTuple):
    """One frame of a handshake, to be sent with nothing after it."""

    channel: Channel
    frame: bytes


class HandshakeRequest(NamedTuple):
    """A message of a handshake, to be sealed in this session."""

    channel: Channel
    msg_type: str
    content: Mapping[str, object]
    session: str | None
    name: str | None = None  # header.session; None: as the client has it


class Fate(enum.Enum):
    """What became of a request whose answer has not come when its session was replaced."""

    COMING = "its answer is still to come"
    RAN = "it ran, but its reply is lost"
    NEVER_RAN = "it never ran and never will"
    UNKNOWN = "nobody knows whether it ran"
