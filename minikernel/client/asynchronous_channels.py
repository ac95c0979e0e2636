"""The channels of an asyncio client."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import zmq
import zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel

from minikernel.client.channels import EVENTS, Link, Receiver, Sending, deadline_in

if TYPE_CHECKING:
    from jupyter_client.session import Session

    from minikernel.client.verifier import Msg


class AsyncVerifyingChannel(Sending, AsyncZMQSocketChannel):
    """A channel of an asyncio client."""

    def __init__(self, socket: zmq.asyncio.Socket, session: Session, link: Link) -> None:
        super().__init__(socket, session)
        self.receiver = AsyncReceiver(socket, link)

    async def _recv(self, **_: object) -> Msg:  # type: ignore[override]  # as jupyter_client's
        return await self.get_msg()

    async def get_msg(self, timeout: float | None = None) -> Msg:  # type: ignore[override]  # as above
        """The next verified message.

        Raises:
            queue.Empty: none came within `timeout` seconds.
        """
        deadline = deadline_in(timeout)
        while (msg := self.receiver.take()) is None:
            await self.socket.poll(self.receiver.patience(deadline))
        return msg

    async def get_msgs(self) -> list[Msg]:  # type: ignore[override]  # as above
        """All verified messages that have come."""
        return list(iter(self.receiver.take, None))

    async def msg_ready(self) -> bool:  # type: ignore[override]  # as above
        """Whether a verified message has come."""
        return self.receiver.has_message()


class AsyncReceiver(Receiver):
    """Sends past asyncio's socket, which others may wait for.

    Its descriptor tells once that something has come, and libzmq takes that in as it sends: who
    waits would not hear of it.
    """

    def __init__(self, socket: zmq.asyncio.Socket, link: Link) -> None:
        super().__init__(zmq.Socket.shadow(socket.underlying), link)
        self._awaited = socket

    def put(self, frames: list[bytes]) -> None:
        """As `Receiver.put`."""
        try:
            super().put(frames)
        finally:
            self._rouse()

    def offer_frames(self, frames: list[bytes]) -> None:
        """As `Receiver.offer_frames`."""
        super().offer_frames(frames)
        self._rouse()

    def _rouse(self) -> None:
        """Let those who wait look again: pyzmq sees to that when it is asked for the events."""
        with contextlib.suppress(RuntimeError):  # there is no loop here, so nobody waits
            asyncio.get_running_loop()
            self._awaited.get(EVENTS)
