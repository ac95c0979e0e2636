"""The channels of an asyncio client: nobody waits for what has come."""

from __future__ import annotations

import asyncio
import select
import threading
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
import zmq

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Rogue


@pytest.mark.parametrize("past", ["shell_channel.send", "shell_channel.receiver.offer"])
def test_who_waits_hears_of_what_came_just_before_something_was_sent(
    play: Callable[..., Any], past: str
) -> None:
    asked = threading.Event()

    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        if request["header"]["msg_type"] == "kernel_info_request":
            assert asked.wait(20)
            rogue.reply(request)

    rogue, _ = play(script)

    async def use() -> None:
        async with minikernel.connect_async(rogue.path, timeout=20) as aio:
            await look(aio)

    async def look(aio: minikernel.AsyncMiniKernelClient) -> None:
        raw = zmq.Socket.shadow(aio.shell_channel.socket.underlying)
        waiting = asyncio.ensure_future(aio.get_shell_msg())
        await asyncio.sleep(0)  # it waits; from here on the loop does not run
        msg_id = aio.kernel_info()
        asked.set()
        while not raw.get(zmq.EVENTS) & zmq.POLLIN:  # takes it in as a send does, now and then
            select.select([raw.fileno()], [], [], 20)
        attrgetter(past)(aio)(aio.session.msg("comm_msg", {"comm_id": "x", "data": {}}))
        msg = await asyncio.wait_for(waiting, 20)
        assert msg["parent_header"]["msg_id"] == msg_id

    asyncio.run(use())
