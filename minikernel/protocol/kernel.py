"""A kernel's side of its channels, without sockets.

What `take` gives back is authentic and belongs on its channel. All else is counted and raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from minikernel.auth.rights import ALWAYS
from minikernel.errors import ChallengeError, ContentError, UnknownSession
from minikernel.protocol.end import ChannelEnd
from minikernel.protocol.heartbeat import HeartbeatEnd
from minikernel.wire.channels import Channel, Role
from minikernel.wire.content import error, ok, reply_type
from minikernel.wire.frames import AT_THE_KERNEL, WITH_SESSIONS, is_greeting
from minikernel.wire.message import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minikernel.auth.scheme import KernelSide
    from minikernel.auth.spec import Traits
    from minikernel.errors import RemoteProtocolError
    from minikernel.protocol.end import Guards
    from minikernel.wire.message import Message
    from minikernel.wire.peer import Peer

ROUTERS = (Channel.SHELL, Channel.CONTROL, Channel.STDIN)
CHANNELS = (*ROUTERS, Channel.IOPUB)
EXPIRY = 1.0  # seconds between two looks for clients that have been silent for long


class ErrorReply(NamedTuple):
    """The reply to a request that was authentic, and refused for what it says."""

    msg_type: bytes
    content: dict[str, Any]
    parent: bytes
    to: Peer
    quiet: bool  # no busy and no idle around it


class HandshakeReply(NamedTuple):
    """What a message of a handshake brings about."""

    content: Mapping[str, object] | None  # of the reply; None: the client has left, it gets none
    welcome: bool = False  # then an iopub_welcome is due


def error_reply(problem: RemoteProtocolError) -> ErrorReply | None:
    """The reply to a malformed request; None if it is not known to be an authentic request."""
    if not isinstance(problem, ContentError):
        return None
    msg_type, peer = problem.msg_type, problem.peer
    if peer is None or not isinstance(msg_type, str) or not msg_type.endswith("_request"):
        return None
    content = error(problem.ename, str(problem))
    # An unclaimed header may name another client's request: its idle would end that one.
    quiet = not peer.announced or (peer.session is not None and not problem.claimed)
    return ErrorReply(reply_type(msg_type), content, problem.header, peer, quiet)


def is_announced(message: Message) -> bool:
    """Whether busy and idle go around the answer (channel-hmac, section 5).

    Where clients are told apart, what each of them may ask must not make all others hear something.
    """
    return message.peer.session is None or message.header.msg_type not in ALWAYS


class KernelConnection:
    """A kernel's side of shell, control, stdin, iopub and heartbeat.

    The caller has the sockets, and a thread for each; two of them must not use one channel at the
    same time. It gives what comes to `take`, sends what `to_send` gives and `publish` makes, and
    calls `expire` after `wait` seconds.

    Args:
        scheme: signs and verifies; its kernel's side.
        traits: of the scheme.
        headers: makes the header frame of a message type.
        guards: what is checked beyond the signature.
        contents: message type -> struct; other contents are decoded to dicts.
        now: seconds since the epoch, for dates that may be too old.
        clock: seconds, monotonic.

    Attributes:
        ends: of the channels, which count what comes and goes.
        heartbeat: the same, where pings are authenticated; None: any bytes are sent back.
        publish: composes, numbers and signs what goes out on iopub; `ChannelEnd.publish`.
    """

    def __init__(
        self,
        scheme: KernelSide,
        traits: Traits,
        headers: Callable[[bytes], bytes],
        *,
        guards: Guards,
        contents: Mapping[str, type] | None = None,
        now: Callable[[], float] | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.traits = traits
        self.ends = {
            channel: ChannelEnd(
                channel,
                Role.KERNEL,
                scheme,
                headers,
                guards=guards,
                contents=contents,
                now=now,
                clock=clock,
                limits=WITH_SESSIONS if traits.sessions else AT_THE_KERNEL,
            )
            for channel in CHANNELS
        }
        self.heartbeat = HeartbeatEnd(self._pong) if traits.heartbeat else None
        self.publish = self.ends[Channel.IOPUB].publish
        self._scheme = scheme
        self._clock = clock
        self._outgoing: dict[Channel, list[list[bytes]]] = {channel: [] for channel in ROUTERS}
        # Messages to peers to whom there is no way yet.
        self._kept: dict[Channel, list[tuple[list[bytes], Peer]]] = {c: [] for c in ROUTERS}

    # What comes.

    def take(self, channel: Channel, frames: list[bytes]) -> Message | None:
        """Take a multipart message that has come on shell, control or stdin.

        Returns:
            The message, or None for a part of a handshake, which is answered by `to_send`.

        Raises:
            RemoteProtocolError: it is refused, and has been counted; `error_reply` tells whether
                and how to answer it.
        """
        end = self.ends[channel]
        if is_greeting(frames):
            self._greet(end, frames)
            return None
        message = end.receive(frames)
        if self._kept[channel]:  # the message may have shown the way
            kept, self._kept[channel] = self._kept[channel], []
            for unsent, to in kept:
                self.send(channel, unsent, to)
        return message

    def _greet(self, end: ChannelEnd, frames: list[bytes]) -> None:
        try:
            answer = end.greet(frames)
        except ChallengeError as problem:
            if problem.reply:
                self._outgoing[end.channel].append([*frames[:-1], problem.reply])
            raise
        if answer is not None:
            self._outgoing[end.channel].append(answer)

    def is_handshake(self, message: Message) -> bool:
        """Whether a message is for `shake_hands`."""
        return message.header.msg_type in self._scheme.own_types

    def shake_hands(self, channel: Channel, message: Message, *, busy: bool) -> HandshakeReply:
        """Do what a message of a handshake asks for (channel-hmac, section 3).

        Args:
            channel: where it came.
            message: has verified.
            busy: whether a request is running, and others may be queued behind.
        """
        if channel is not Channel.CONTROL:  # it has shown the way back to its client
            return HandshakeReply(ok())
        peer, now = message.peer, self._clock()
        if message.content.leaves:
            self._scheme.leave(peer)
            return HandshakeReply(None)
        try:
            content = self._scheme.bind(peer, message.content.replaces, now, busy=busy)
        except ContentError as problem:
            self.ends[channel].refuse(problem.reason)
            return HandshakeReply(error(problem.ename, str(problem)))
        return HandshakeReply(content, welcome=self._scheme.may_welcome(peer, now))

    # What is sent.

    def compose(
        self,
        channel: Channel,
        msg_type: bytes,
        content: bytes | Mapping[str, Any],
        *,
        parent: bytes = EMPTY,
    ) -> list[bytes]:
        """The frames of a message, for `send`. Raises TypeError: there is no JSON for it."""
        return self.ends[channel].compose(msg_type, content, parent=parent)

    def send(self, channel: Channel, frames: list[bytes], to: Peer) -> bool:
        """Send a message, by `to_send`, or once a message of its receiver has shown the way.

        Returns:
            Whether its receiver is still there.
        """
        try:
            sealed = self.ends[channel].seal(frames, to)
        except UnknownSession:
            return False
        if sealed is None:
            self._kept[channel].append((frames, to))
        else:
            self._outgoing[channel].append(sealed)
        return True

    def to_send(self, channel: Channel) -> list[list[bytes]]:
        """Multipart messages to send on this channel now, in order."""
        outgoing = self._outgoing[channel]
        if outgoing:
            self._outgoing[channel] = []
        return outgoing

    # What is known of clients.

    def may(self, peer: Peer, msg_type: str) -> bool:
        """Whether a peer has the right to say this."""
        return self._scheme.may(peer, msg_type)

    def current(self, peer: Peer) -> str | None:
        """The session that gets what is said to this peer; None: it is gone."""
        return self._scheme.current(peer)

    def wait(self) -> float | None:
        """Seconds until `expire` has something to do; None: never."""
        return EXPIRY if self.traits.sessions else None

    def expire(self) -> None:
        """Drop who has been silent for long; only while no request is queued or running."""
        self._scheme.expire(self._clock())

    def _pong(self, ping: bytes) -> bytes:
        return self._scheme.pong(ping, self._clock())

    def ledger(self, peer: Peer) -> dict[str, dict[str, Any]]:
        """What each channel counted, as this peer may know it (channel-hmac, section 6)."""
        gaps = self._scheme.gaps_for(peer)
        counted: list[ChannelEnd | HeartbeatEnd] = [*self.ends.values()]
        if self.heartbeat is not None:
            counted.append(self.heartbeat)
        return {
            end.channel.value: {
                "sent": end.tally.sent,
                "verified": end.tally.verified,
                "rejected": dict(end.tally.rejected),
                **{name: missing.get(end.channel, 0) for name, missing in gaps.items()},
            }
            for end in counted
        }
