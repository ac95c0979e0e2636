"""The same on asyncio: python asyncio_client.py FILE CODE. A task a channel takes what comes."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import zmq.asyncio
from plain_client import connect

from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from minikernel.wire.message import Message


class Client:
    """A connection whose sockets are read by tasks."""

    def __init__(self, file: str) -> None:
        self.context = zmq.asyncio.Context()
        self.kernel, self.sockets = connect(file, self.context)
        self.messages: asyncio.Queue[Message | None] = (
            asyncio.Queue()
        )  # None: of a handshake, or dropped
        self.tasks = [asyncio.create_task(self.read(channel)) for channel in self.sockets]

    async def read(self, channel: Channel) -> None:
        """Take what comes on a channel."""
        while True:
            incoming = self.kernel.take(channel, await self.sockets[channel].recv_multipart())
            await self.send()
            self.messages.put_nowait(None if incoming is None else incoming.message)

    async def send(self) -> None:
        """Send what is due."""
        for channel, frames in self.kernel.to_send():
            await self.sockets[channel].send_multipart(frames)

    async def run(self, code: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Run a cell: type and content of what belongs to it, as it comes."""
        missing, msg_id = {"iopub_welcome", "execute_reply", "idle"}, None
        self.kernel.renew()
        await self.send()
        while missing:
            if (
                msg_id is None
                and "iopub_welcome" not in missing
                and self.kernel.is_ready(Channel.SHELL)
            ):
                content = {"code": code, "silent": False, "allow_stdin": False}
                msg_id = self.kernel.send(Channel.SHELL, "execute_request", content)
                await self.send()
            try:
                message = await asyncio.wait_for(self.messages.get(), self.kernel.wait())
            except asyncio.TimeoutError:
                await self.send()
                continue
            if message is not None and message.parent_header.get("msg_id") == msg_id:
                missing -= {message.header.msg_type, message.content.get("execution_state")}
                yield message.header.msg_type, message.content

    def close(self) -> None:
        """Give up."""
        for task in self.tasks:
            task.cancel()
        self.context.destroy(0)


async def main() -> None:
    """Run the cell of the command line."""
    client = Client(sys.argv[1])
    async for kind, said in client.run(sys.argv[2]):
        print(kind, said)
    client.close()


if __name__ == "__main__":
    asyncio.run(main())
