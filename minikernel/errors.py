"""Every exception of the package.

    MinikernelError
    +-- LocalProtocolError        our side asked for what the protocol forbids: a bug here
    +-- RemoteProtocolError       the peer sent what the protocol forbids: drop it, keep the socket
    |   +-- FramingError          the frames are not a message
    |   +-- AuthError             the frames are a message, but not from whom they claim
    |   |   +-- BadSignature      the signature does not match
    |   |   +-- Replayed          the message was accepted before
    |   |   +-- ReplayedCounter   the same, or one sent after it was
    |   |   +-- UnknownSession    it belongs to no session that is open
    |   |   +-- WrongRoute        it came from another connection than the session's
    |   |   +-- NoTag             a published message that was not signed for us
    |   |   +-- Reflected         the message is one of our own
    |   +-- ChallengeError        a challenge that failed, that nobody asked for, or is not granted
    |   +-- ContentError          authentic, but not what the protocol allows to say
    |       +-- Stale             the signed date is too old
    |       +-- ForPredecessor    a shutdown_request sent before this kernel was started
    |       +-- PermissionDenied  the client does not have the right
    |       +-- TooManySessions   there is no place for one more client
    |       +-- SessionNameTaken  another client's messages bear this header.session
    |       +-- RequestIdTaken    another client's request has this msg_id, and is not answered
    |       +-- NoMemory          there is not enough memory to look at the message
    |       +-- InternalError     our own code failed over the message: a bug here
    +-- ConfigError               a key, connection file or option that is refused
    +-- RequestLost               a request whose answer will not come, after a lost connection
    +-- KernelDied                the kernel ended while an answer was awaited
    +-- ClientClosed              the client was closed, before or while it waited
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
    """A key, connection file or option is refused; the text says what to fix."""


class RemoteProtocolError(MinikernelError):
    """The peer sent something that the protocol forbids."""

    reason: ClassVar[str] = "refused"


class FramingError(RemoteProtocolError):
    """The frames do not have the shape of a message."""

    reason = "framing"


class AuthError(RemoteProtocolError):
    """The frames do not come from whom they claim, or not now, or not here."""

    reason = "bad signature"


class BadSignature(AuthError):
    """The signature does not match the frames."""


class Replayed(AuthError):
    """A message with this signature was accepted before."""

    reason = "replayed"


class ReplayedCounter(AuthError):
    """The counter is not above those that were accepted."""

    reason = "replayed counter"


class UnknownSession(AuthError):
    """The message names a session that is not open, or not on this channel."""

    reason = "unknown session"


class WrongRoute(AuthError):
    """The message came by another connection than the session's first one on this channel."""

    reason = "route"


class NoTag(AuthError):
    """A published message without a tag for our session."""

    reason = "no tag"


class Reflected(AuthError):
    """A message of our own was sent back to us."""

    reason = "reflected"


class ChallengeError(RemoteProtocolError):
    """A challenge that failed, that nobody asked for, or a request for one that is not granted.

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
    claimed = False  # whether its header was read, and is the peer's

    def __init__(self, text: str, *, msg_type: object = None, header: bytes = b"") -> None:
        super().__init__(text)
        self.msg_type = msg_type
        self.header = header

    @property
    def ename(self) -> str:
        """What the error reply calls it."""
        return type(self).__name__


class Stale(ContentError):
    """The signed date is older than the option max_age allows."""

    reason = "stale"


class ForPredecessor(ContentError):
    """A shutdown_request that was signed before this kernel was started: for the one before."""

    reason = "meant for an earlier kernel"


class PermissionDenied(ContentError):
    """The client does not have the right to say this (channel-hmac, section 2)."""

    ename = "PermissionError"  # the specification's word


class TooManySessions(ContentError):
    """There is no place for one more client."""


class SessionNameTaken(ContentError):
    """A client speaks under the header.session of another one that is connected."""


class RequestIdTaken(ContentError):
    """Another client's request has this msg_id, and is not answered yet."""

    reason = "id taken"


class NoMemory(ContentError):
    """There is not enough memory to receive, verify or decode the message."""

    reason = "no memory"


class InternalError(ContentError):
    """Our own code failed over a message: that one is lost, and nothing else.

    Args:
        problem: what was raised.
    """

    reason = "internal error"

    def __init__(self, problem: BaseException) -> None:
        super().__init__(_whereabouts(problem))


def refusal(problem: BaseException) -> RemoteProtocolError:
    """How an exception is counted, logged and answered that was raised over a message."""
    if isinstance(problem, RemoteProtocolError):
        return problem
    return internal(problem, None, "", b"")


def internal(problem: BaseException, peer: object, msg_type: str, header: bytes) -> ContentError:
    """The same for a message that has verified, so that it can be answered."""
    error = NoMemory("no memory") if isinstance(problem, MemoryError) else InternalError(problem)
    error.peer, error.msg_type, error.header = peer, msg_type, header
    return error


def _whereabouts(problem: BaseException) -> str:
    """Type and place in this package, without the text: that may have bytes of a peer in it."""
    place, entry, package = "", problem.__traceback__, __file__.removesuffix("errors.py")
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        if file.startswith(package):
            place = f" at {file.removeprefix(package)}:{entry.tb_lineno}"
        entry = entry.tb_next
    name = type(problem).__name__
    return (name if name.isidentifier() and name.isascii() else "an exception") + place


class KernelDied(MinikernelError, RuntimeError):
    """The kernel ended while an answer was awaited, or does not answer at all."""


class ClientClosed(MinikernelError, RuntimeError):
    """The client was closed, before it was used or, in another thread, meanwhile."""


class RequestLost(MinikernelError):
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
        evalue: its text, as sent.
        traceback: its lines, as sent.
    """

    def __init__(self, text: str, *, ename: str, evalue: str, traceback: list[str]) -> None:
        super().__init__(text)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
