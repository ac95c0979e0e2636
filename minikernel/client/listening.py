"""Receiving until a request has its answer, whichever way the client waits."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import zmq

from minikernel.client.channels import deadline_in, monitors, with_messages
from minikernel.client.escape import shortened
from minikernel.client.exchange import REFUSAL_LENGTH, Exchange
from minikernel.client.interrupts import Forwarding
from minikernel.client.waiting import DIED, LIVENESS
from minikernel.errors import KernelDied, RequestLost
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from minikernel.client.addressed import Addressed
    from minikernel.client.exchange import Admission
    from minikernel.client.opened import Channels
    from minikernel.client.turns import Turns
    from minikernel.client.verifier import Msg, Verifier
    from minikernel.client.waiting import Waits

BATCH = 200  # messages of one channel before the others have their turn


class Listening:
    """Whoever calls it has their turn.

    Args:
        client: that listens.
        channels: of the client.
        turns: at the client.
        waits: how the client waits.
    """

    def __init__(self, client: Addressed, channels: Channels, turns: Turns, waits: Waits) -> None:
        self.client, self.channels, self.turns, self.waits = client, channels, turns, waits

    def ask(
        self, msg_type: str, content: dict[str, Any], timeout: float, grace: float | None = None
    ) -> Exchange:
        """Send a request on control, which a busy kernel answers too."""
        session = self.client.session
        msg: Msg = session.msg(msg_type, content)
        control = self.channels.opened(Channel.CONTROL)
        control.receiver.offer(msg)  # if it does not go, its deadline tells
        return Exchange(
            str(msg["header"]["msg_id"]),
            session=session.session,
            replies=Channel.CONTROL,
            deadline=deadline_in(timeout),
            grace=grace,
        )

    async def join(self, channel: Channel, timeout: float | None) -> None:
        """Shake hands first, if the scheme wants it and it has not been done.

        Raises:
            TimeoutError: nobody answered in time.
            TooManySessions: the kernel has no place for us.
        """
        admission = self.channels.admission(channel, timeout)
        if admission is not None:
            await self.until_over(admission, self.channels.some(Channel.IOPUB, Channel.CONTROL))

    async def until_over(
        self,
        exchange: Exchange | Admission,
        channels: dict[Channel, Any],
        forwarding: Forwarding | None = None,
    ) -> None:
        """Receive until the exchange is over."""
        client, settled = self.client, self.waits.settled
        forwarding = forwarding or Forwarding(None, {})
        poller = self.waits.poller()
        channels = self.channels.and_of_handshake(channels)
        for channel in channels.values():
            channel.receiver.inbox.come_back()
            poller.register(channel.socket, zmq.POLLIN)
        watching = monitors(channels) if client.verifier.traits.handshake else set()
        for monitor in watching:
            poller.register(monitor, zmq.POLLIN)
        ready, lives = channels, True
        while True:
            heard = await self._hear(exchange, ready, forwarding)
            if exchange.over:
                return
            if self.turns.is_closed:
                self.turns.check_open()
            _raise_if_lost(client.verifier, exchange)
            exchange.lapse(time.monotonic(), quiet=not heard)
            if not heard and not lives:
                raise KernelDied(DIED)
            events = dict(await settled(poller.poll(self._patience(exchange, channels))))
            if not watching.isdisjoint(events):
                self.channels.look_soon()
            ready = with_messages(channels, events)
            lives = bool(ready) or await self.lives()

    async def _hear(
        self, exchange: Exchange | Admission, ready: dict[Channel, Any], forwarding: Forwarding
    ) -> bool:
        """Take what has come; whether anything authentic had."""
        heard, on_others = False, self.client.on_others
        for name, channel in ready.items():
            for _ in range(BATCH):
                forwarding.hold()
                try:
                    msg = channel.receiver.take()
                    if msg is None:
                        break
                    heard = True
                    if exchange.take(name, msg, time.monotonic()):
                        said = forwarding.handle(name, msg)
                        if said is not None:
                            await self.waits.settled(said)
                    elif name is Channel.IOPUB and on_others is not None:
                        forwarding.call(on_others, msg)
                finally:
                    forwarding.let_go()
                if exchange.over:
                    return True
        return heard

    def _patience(self, exchange: Exchange | Admission, channels: dict[Channel, Any]) -> int:
        """Milliseconds that a poll may take.

        Never long: a kernel may die, and a signal that comes just before a poll does not end it.
        """
        turn = self.channels.tend()
        if exchange.over or any(channel.receiver.has_more for channel in channels.values()):
            return 0
        waits = (LIVENESS, turn, exchange.wait(time.monotonic()))
        return math.ceil(1000 * min(wait for wait in waits if wait is not None))

    async def lives(self) -> bool:
        """Whether the kernel has not ended, as far as can be seen from here."""
        manager = self.client.manager
        if manager is None:
            return not self.channels.is_gone()
        return bool(await self.waits.settled(manager.is_alive()))


def _raise_if_lost(verifier: Verifier, exchange: Exchange | Admission) -> None:
    """Raises RequestLost, or what the kernel refuses us as, if no answer will come."""
    if verifier.scheme.refusal is not None:
        refusal = shortened(verifier.scheme.refusal, REFUSAL_LENGTH)
        raise verifier.scheme.refused_as(refusal)
    if isinstance(exchange, Exchange) and exchange.msg_id in verifier.connection.lost:
        lost = verifier.connection.lost[exchange.msg_id]
        raise RequestLost(lost.msg_type, lost.fate.value)
