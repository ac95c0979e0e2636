"""Receiving until a request has its answer, by a client of either kind."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.client.exchange import Admission
from minikernel.client.waiting import now
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Rogue

    from minikernel.client.base import VerifyingClient

    Play = Callable[..., Any]


async def ask(client: VerifyingClient) -> str:
    """The type of the answer to a request on control."""
    listening = client._listening
    exchange = listening.ask("auth_status_request", {}, 20.0)
    await listening.until_over(exchange, client._channels.some(Channel.CONTROL))
    assert await listening.lives()
    return str(exchange.answer["msg_type"])


def test_both_clients_hear_the_answer(play: Play) -> None:
    rogue, client = play()

    async def main() -> str:
        async with minikernel.connect_async(rogue.path, timeout=20) as aio:
            return await ask(aio)

    assert now(ask(client)) == asyncio.run(main()) == "auth_status_reply"


def test_nobody_waits_for_what_is_over(play: Play) -> None:
    """A handshake may come to its end when it is seen to, with no message that would wake us."""
    _, client = play()
    assert client._listening._patience(Admission(lambda: True, deadline=None), {}) == 0
    assert client._listening._patience(Admission(lambda: False, deadline=None), {}) > 0


def test_others_are_told_of_while_we_wait(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        stranger = {"header": {**request["header"], "session": "another"}}
        rogue.print("theirs", stranger)
        rogue.print("ours", request)
        rogue.reply(request)
        rogue.idle(request)

    rogue, client = play(script)
    others: list[Any] = []
    client.on_others = others.append
    assert client.run("1", timeout=20).stdout == "ours"

    async def main() -> None:
        async with minikernel.connect_async(rogue.path, timeout=20) as aio:
            aio.on_others = others.append
            assert (await aio.run("1", timeout=20)).stdout == "ours"

    asyncio.run(main())
    texts = [msg["content"].get("text") for msg in others]
    assert texts.count("theirs") == 2
    assert "ours" not in texts


def test_what_is_closed_meanwhile_is_not_waited_for(play: Play) -> None:
    def script(_rogue: Rogue, _request: dict[str, Any]) -> None:
        threading.Thread(target=client.close).start()

    _, client = play(script)
    with pytest.raises(minikernel.ClientClosed):
        client.run("1", timeout=20)
