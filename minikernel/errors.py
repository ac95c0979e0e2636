"""Every exception of the package.

    MinikernelError
    +-- LocalProtocolError        our side asked for what the protocol forbids: a bug here
    +-- RemoteProtocolError       the peer sent what the protocol forbids: drop it, keep the socket
    |   +-- FramingError          the frames are not a message
    |   +-- AuthError             the frames are a message, but not from whom they claim
    |   |   +-- BadSignature      the signature does not match
    |   |   +-- Replayed          the message was accepted before
    |   |   +-- ReplayedCounter   likewise, or one that was sent after it
    |   |   +-- UnknownSession    it belongs to no session that is open
    |   |   +-- WrongRoute        it came from another connection than the session's
    |   |   +-- NoTag             a published message that was not signed for us
    |   |   +-- Reflected         the message is one of our own
    |   +-- ChallengeError        a challenge that failed, that nobody asked for, or is not granted
    |   +-- ContentError          authentic, but not what the protocol allows to say
    |       +-- Stale             the signed date is too old
    |       +-- PermissionDenied  the client has not the right
    |       +-- TooManySessions   there is no place for one more client
    +-- ConfigError               a key, connection file or option that is refused
    +-- RequestLost               a request whose answer will not come, after a lost connection
    +-- KernelDied                the kernel's process ended while an answer was awaited
    +-- CellError                 what a cell raised, if Result.raise_for_error is asked

Each RemoteProtocolError has a ``reason``: the word that ledgers count it by.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MinikernelError(Exception):
    """The root of all errors of this package."""


class LocalProtocolError(MinikernelError):
    """Our own side asked for something that the protocol forbids."""


class ConfigError(MinikernelError):
    """A key, connection file or option is refused; the text says what to mend."""


class RemoteProtocolError(MinikernelError):
    """The peer sent something that the protocol forbids."""

    reason: ClassVar[str] = "refused"


class FramingError(RemoteProtocolError):
    """The frames do not have the shape of a message."""

    reason = "framing"


class AuthError(RemoteProtocolError):
    """The frames do not come from whom they claim, or not now, or not here."""

    reason = "bad signature"


class BadSignature(AuthError):  # noqa: N818 - the field's word
    """The signature does not match the frames."""


class Replayed(AuthError):  # noqa: N818
    """A message with this signature was accepted before."""

    reason = "replayed"


class ReplayedCounter(AuthError):  # noqa: N818
    """The counter is not above those that were accepted."""

    reason = "replayed counter"


class UnknownSession(AuthError):  # noqa: N818
    """The message names a session that is not open, or not on this channel."""

    reason = "unknown session"


class WrongRoute(AuthError):  # noqa: N818
    """The message came by another connection than the session's first one on this channel."""

    reason = "route"


class NoTag(AuthError):  # noqa: N818
    """A published message without a tag for our session."""

    reason = "no tag"


class Reflected(AuthError):  # noqa: N818
    """A message of our own was sent back to us."""

    reason = "reflected"


class ChallengeError(RemoteProtocolError):
    """A challenge that failed, that nobody asked for, or a plea for one that is not granted.

    Args:
        text: what is wrong.
        reply: what the peer is still to be told, if anything.
    """

    def __init__(self, text: str, *, reply: bytes = b"") -> None:
        super().__init__(text)
        self.reply = reply


class ContentError(RemoteProtocolError):
    """The message is authentic, but says what its channel or type does not allow.

    Args:
        text: what is wrong, for the error reply.
        msg_type: of the message, if its header could be read as far as that.
        header: that header as strict JSON, the reply's parent_header.
    """

    peer: Any = None  # auth.scheme.Peer, who said it

    def __init__(self, text: str, *, msg_type: object = None, header: bytes = b"") -> None:
        super().__init__(text)
        self.msg_type = msg_type
        self.header = header

    @property
    def ename(self) -> str:
        """What the error reply calls it."""
        return type(self).__name__


class Stale(ContentError):  # noqa: N818
    """The signed date is older than the option max_age allows."""

    reason = "stale"


class PermissionDenied(ContentError):  # noqa: N818
    """The client has not the right to say this (channel-hmac, section 2)."""

    ename = "PermissionError"  # the specification's word


class TooManySessions(ContentError):  # noqa: N818
    """There is no place for one more client."""


class KernelDied(MinikernelError, RuntimeError):  # noqa: N818
    """The process of a kernel that we launched ended while an answer was awaited."""


class RequestLost(MinikernelError):  # noqa: N818
    """The kernel was restarted, or a connection lost, and the answer to a request with it.

    Args:
        msg_type: of the request.
        fate: what became of it, in words; it is not sent again.
    """

    def __init__(self, msg_type: str, fate: str) -> None:
        super().__init__(f"the answer to this {msg_type} will not come: {fate}")
        self.msg_type = msg_type
        self.fate = fate


class CellError(MinikernelError):
    """A cell failed in the kernel, or was aborted because an earlier one did.

    Args:
        text: the error and its traceback, fit for a terminal.
        ename: the name of the exception's class, as the kernel sent it.
        evalue: its text, likewise.
        traceback: its lines, likewise.
    """

    def __init__(self, text: str, *, ename: str, evalue: str, traceback: list[str]) -> None:
        super().__init__(text)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
