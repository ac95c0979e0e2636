"""What both clients say and hear alike; the rest is tested with each of them."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.client.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable

    Play = Callable[..., Any]

SHARED = [name for name in vars(Conversation) if not name.startswith("_")]
SLEEPING = "import time; print('started', flush=True); time.sleep(60)"


@pytest.mark.parametrize("name", SHARED)
def test_both_clients_have_its_methods_with_their_words(name: str) -> None:
    said = getattr(Conversation, name)
    for kind in (minikernel.MiniKernelClient, minikernel.AsyncMiniKernelClient):
        method = vars(kind)[name]
        assert inspect.signature(method) == inspect.signature(said)
        assert inspect.getdoc(method) == inspect.getdoc(said)
        waits = kind is minikernel.AsyncMiniKernelClient
        assert inspect.iscoroutinefunction(method) == waits


def test_callbacks_of_a_blocking_client_may_be_coroutines(
    client: minikernel.MiniKernelClient, coroutines: Any
) -> None:
    seen, on_output, on_input = coroutines
    result = client.run("input('? ')", timeout=20, on_output=on_output, on_input=on_input)
    assert result.value == "'? answered'"
    assert seen[0] == seen[-1] == "status"


def test_a_blocking_client_works_inside_of_a_loop(client: minikernel.MiniKernelClient) -> None:
    async def main() -> None:
        assert client.run("6 * 7", timeout=20).value == "42"
        assert client.auth_status().rejected == 0

    asyncio.run(main())


def test_a_cell_of_a_task_that_is_cancelled_is_given_up() -> None:
    async def main() -> None:
        async with minikernel.launch_async(extra_arguments=["--history", "off"]) as aio:
            runs = asyncio.Event()

            def note(msg: dict[str, Any]) -> None:
                if msg["msg_type"] == "stream":  # busy comes before an interrupt can reach the cell
                    runs.set()

            cell = asyncio.create_task(aio.run(SLEEPING, on_output=note))
            await runs.wait()
            cell.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cell
            assert aio._conversation._given_up
            await aio.interrupt()
            assert (await aio.run("6 * 7", timeout=60)).value == "42"
            assert not aio._conversation._is_behind()

    asyncio.run(main())


def test_a_callback_that_raises_ends_the_wait_and_leaves_no_turn_behind(play: Play) -> None:
    _, client = play()

    def fail(_: dict[str, Any]) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        client.run("1", timeout=20, on_output=fail)
    assert client.run("1", timeout=20).status == "ok"


def test_only_a_kernel_of_ours_is_restarted_by_either(play: Play) -> None:
    rogue, client = play()
    with pytest.raises(RuntimeError, match="launched here"):
        client.restart()

    async def main() -> None:
        async with minikernel.connect_async(rogue.path, timeout=20) as aio:
            with pytest.raises(RuntimeError, match="launched here"):
                await aio.restart()

    asyncio.run(main())
