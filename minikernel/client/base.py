"""What the blocking and the asyncio client share: scheme, channels, ledger, trace."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from minikernel.client.addressed import Addressed
from minikernel.client.channels import HeartbeatChannel
from minikernel.client.conversation import Conversation
from minikernel.client.ledger import Ledger
from minikernel.client.listening import Listening
from minikernel.client.opened import Channels
from minikernel.client.parting import say_goodbye
from minikernel.client.turns import Turns
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.client.conversation import Option
    from minikernel.client.opened import Opened
    from minikernel.client.verifier import Msg, TraceEvent
    from minikernel.client.waiting import Waits
    from minikernel.protocol.client import Lost


class VerifyingClient(Addressed):
    """A jupyter_client client whose channels take verified messages only."""

    _waits: Waits

    def __init__(self, **kwargs: Option) -> None:
        super().__init__(**kwargs)
        self._turns = Turns(self._waits, self.stop_channels, self._shut_down)
        self._channels = Channels(self, self._turns)
        self._listening = Listening(self, self._channels, self._turns, self._waits)
        self._conversation = Conversation(self._listening, self._redisplay)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._turns.is_closed

    @property
    def shell_channel(self) -> Opened:
        """Requests and their replies."""
        return self._channels.opened(Channel.SHELL)

    @property
    def iopub_channel(self) -> Opened:
        """What the kernel publishes."""
        return self._channels.opened(Channel.IOPUB)

    @property
    def stdin_channel(self) -> Opened:
        """The kernel's questions and their answers."""
        return self._channels.opened(Channel.STDIN)

    @property
    def control_channel(self) -> Opened:
        """Requests that a busy kernel answers too."""
        return self._channels.opened(Channel.CONTROL)

    @property
    def hb_channel(self) -> Opened:
        """The heartbeat."""
        heartbeat = super().hb_channel
        heartbeat.scheme = self.verifier.pinging
        heartbeat.curve = self._curve_keys()
        return heartbeat

    def stop_channels(self) -> None:
        """Close the sockets; the kernel is told first, if this client waits for nothing more."""
        if not self._turns.are_ours:
            return
        say_goodbye(self._verifier, self._hb_channel, self._channels.alive())
        for channel in (*self._channels.alive().values(), self._hb_channel):
            if channel is not None and channel.is_alive():
                channel.stop()
        if self._created_context and not self.context.closed:
            self.context.destroy(linger=100)

    async def _shut_down(self) -> None:
        if self.owns_kernel and self.manager is not None:
            self.owns_kernel = False
            await self._waits.settled(self.manager.shutdown_kernel())

    @property
    def lost(self) -> tuple[Lost, ...]:
        """Requests whose answers will not come, after a restart or a lost connection."""
        return tuple(self.verifier.connection.lost.values())

    def _redisplay(self) -> Callable[[Msg], None]:
        """Shows outputs here: as text, or inside an IPython kernel as this cell's own outputs."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        if not getattr(shell, "kernel", None):
            return self._output_hook_default
        publisher = cast("Any", shell).display_pub
        return partial(
            self._output_hook_kernel,
            publisher.session,
            publisher.pub_socket,
            publisher.parent_header,
        )

    def input(self, string: str, parent: Msg | None = None) -> None:
        """Answer an input_request.

        Args:
            string: the line without its end.
            parent: the input_request, so that the kernel can tell which one is answered; None:
                the last one that came.
        """
        self._channels.answer(string, parent)

    @property
    def ledger(self) -> Ledger:
        """What this client sent, verified and rejected so far, by channel."""
        heartbeat = self._hb_channel
        beats = heartbeat.beats if isinstance(heartbeat, HeartbeatChannel) else 0
        connection = self.verifier.connection
        return Ledger.from_tallies(connection.tallies, beats, connection.gaps)

    def __repr__(self) -> str:
        scheme = self.named_scheme or self.session.signature_scheme
        state = ", closed" if self.is_closed else ""
        return f"{type(self).__name__}({str(self.connection_file)!r}, {scheme}{state})"

    @property
    def trace(self) -> Callable[[TraceEvent], object] | None:
        """Called with each message that is sent, received, or received and dropped."""
        return self.verifier.trace

    @trace.setter
    def trace(self, callback: Callable[[TraceEvent], object] | None) -> None:
        self.verifier.trace = callback
