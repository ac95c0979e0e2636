"""The channels that a client has opened, and the handshake that goes on there, if there is one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

from minikernel.client.channels import HeartbeatChannel, Link, deadline_in
from minikernel.client.exchange import Admission
from minikernel.client.waiting import LIVENESS
from minikernel.protocol.client import MESSAGE_CHANNELS
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from minikernel.auth.scheme import ClientSide
    from minikernel.client.addressed import Addressed
    from minikernel.client.inbox import Inbox
    from minikernel.client.turns import Turns
    from minikernel.client.verifier import Msg

Opened: TypeAlias = Any  # a channel, of the class that a client has for it

SILENCE = 10.0  # seconds without an answer to a heartbeat after which we shake hands again
GONE = 5.0  # seconds without a connection after which a kernel has ended; a restart takes less


class Channels:
    """Those of one client; each is opened when it is first asked for.

    Args:
        client: whose they are; it has them as attributes, where jupyter_client looks.
        turns: of that client; when it is closed, nothing can be opened any more.
    """

    def __init__(self, client: Addressed, turns: Turns) -> None:
        self._client, self._turns = client, turns
        self._look_again = 0.0  # when a handshake wants to be seen to; seconds, monotonic

    def opened(self, channel: Channel) -> Opened:
        """One of the channels."""
        client, name = self._client, channel.value
        opened = getattr(client, f"_{name}_channel")
        if opened is None or self._turns.is_closed:
            self._turns.check_open()
            traits = client.verifier.traits
            watched = channel is Channel.SHELL or traits.handshake
            link = Link(client.verifier, channel, self.tend, client.context if watched else None)
            # Anybody can copy an identity, so a scheme that tells clients apart has none.
            named = channel is not Channel.IOPUB and not traits.sessions
            identity = {"identity": client.session.bsession} if named else {}
            socket = getattr(client, f"connect_{name}")(**identity)
            if channel is Channel.IOPUB and not client.verifier.scheme.observes:
                socket.unsubscribe(b"")  # nothing of it has our tag
            opened = getattr(client, f"{name}_channel_class")(socket, client.session, link)
            setattr(client, f"_{name}_channel", opened)
        return opened

    def alive(self) -> dict[Channel, Any]:
        """Those that are open."""
        opened = {c: self._if_opened(c) for c in MESSAGE_CHANNELS}
        return {c: x for c, x in opened.items() if x is not None and x.is_alive()}

    def _if_opened(self, channel: Channel) -> Opened:
        return getattr(self._client, f"_{channel.value}_channel")

    def some(self, *names: Channel) -> dict[Channel, Any]:
        """Several of the channels, by name."""
        return {channel: self.opened(channel) for channel in names}

    def for_cell(self, *, allow_stdin: bool) -> dict[Channel, Any]:
        """The channels of an execute_request, the replies' last: outputs come before them.

        Raises:
            RuntimeError: one of them was not started.
        """
        if not self.opened(Channel.IOPUB).is_alive():
            raise RuntimeError("IOPub channel must be running to receive output")
        if not allow_stdin:
            return self.some(Channel.IOPUB, Channel.SHELL)
        if not self.opened(Channel.STDIN).is_alive():
            raise RuntimeError("stdin channel must be running to allow input")
        return self.some(Channel.IOPUB, Channel.STDIN, Channel.SHELL)

    def aside(self) -> AbstractContextManager[None]:
        """Meanwhile a thread receives what is published."""
        inbox: Inbox = self.opened(Channel.IOPUB).receiver.inbox
        return inbox.aside()

    def answer(self, string: str, question: Msg | None) -> None:
        """Answer an input_request; None: the last one that came."""
        parent = self._client.verifier.question if question is None else question
        msg = self._client.session.msg("input_reply", {"value": string}, parent=parent)
        self.opened(Channel.STDIN).send(msg)

    def answer_unless_over(self, answer: str | None, question: Msg) -> None:
        """The cell may have been interrupted, or asked again, while the user was typing."""
        others = self.some(Channel.STDIN, Channel.SHELL).values()
        over = any(channel.receiver.has_message() for channel in others)
        if answer is not None and not over:
            self.answer(answer, question)

    def and_of_handshake(self, channels: dict[Channel, Any]) -> dict[Channel, Any]:
        """These, and where a handshake could go on meanwhile."""
        return {**channels, **self.some(*self._client.verifier.scheme.under_way)}

    def is_apart(self, channel: Channel) -> bool:
        """Whether this channel can be used while a cell runs: no handshake goes on there."""
        return channel is Channel.CONTROL and not self._client.verifier.traits.handshake

    def is_gone(self) -> bool:
        """Whether the kernel, not one of ours, has ended: there is no connection for long."""
        shell = self._if_opened(Channel.SHELL)
        connection = None if shell is None else shell.receiver.connection
        return connection is not None and connection.down_for() > GONE

    def look_soon(self) -> None:
        """Something has happened that the handshake may want to be seen to for."""
        self._look_again = 0.0

    def renew(self) -> None:
        """The kernel was restarted: the session is over, whether or not we have noticed."""
        self._client.verifier.scheme.renew(time.monotonic())
        self.look_soon()

    def tend(self) -> float | None:
        """See to the handshake, if the scheme has one; seconds until it should be seen to again."""
        if not self._client.verifier.traits.handshake:
            return None
        scheme, now = self._client.verifier.scheme, time.monotonic()
        if now >= self._look_again or scheme.wait(now) == 0:
            self._look_after(scheme, now)
            wait = scheme.wait(now)
            self._look_again = now + (LIVENESS if wait is None else min(wait, LIVENESS))
        return max(0.0, self._look_again - now)

    def _look_after(self, scheme: ClientSide, now: float) -> None:
        lost = [c for c in self.alive().values() if c.receiver.has_lost_connection()]
        if lost or self._is_silent(now):
            scheme.renew(now)
        if scheme.wait(now) is not None:
            for name in scheme.under_way:
                self.opened(name).receiver.has_message()  # takes what belongs to the handshake
        for channel, frames in self._client.verifier.connection.due():
            self.opened(channel).receiver.offer_frames(frames)

    def _is_silent(self, now: float) -> bool:
        """Whether heartbeats have been sent for long, and none came back."""
        beat, scheme = self._if_opened(Channel.HEARTBEAT), self._client.verifier.pinging
        if scheme is None or not isinstance(beat, HeartbeatChannel) or not beat.pings:
            return False
        return now - max(beat.heard, scheme.renewed) > SILENCE

    def admission(self, channel: Channel, timeout: float | None) -> Admission | None:
        """The handshake that must come first; None: there is none, or it has been."""
        scheme = self._client.verifier.scheme
        if not self._client.verifier.traits.handshake:
            return None
        self.look_soon()
        self.tend()
        if scheme.is_ready(channel):
            return None
        if scheme.wait(now := time.monotonic()) is None:
            scheme.renew(now)
        self.look_soon()
        return Admission(lambda: scheme.is_ready(channel), deadline=deadline_in(timeout))

    def room(self, deadline: float | None) -> Admission | None:
        """Until shell takes a request; None: it does. A peer that encrypts otherwise never will."""
        can_send = self.opened(Channel.SHELL).receiver.can_send
        return None if can_send() else Admission(can_send, deadline=deadline)
