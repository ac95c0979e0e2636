"""The asyncio client does what the blocking one does."""

from __future__ import annotations

import asyncio
import threading
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest

import minikernel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from conftest import Rogue

    Use = Callable[[minikernel.AsyncMiniKernelClient], Awaitable[object]]

FORGED = {"key": "another key"}


def use_kernel(file: str | Path, use: Use) -> None:
    """Let a coroutine use a client."""

    async def main() -> None:
        async with minikernel.connect_async(file, timeout=20) as client:
            await use(client)

    asyncio.run(main())


def test_cells(client: minikernel.MiniKernelClient) -> None:
    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        result = await aio.run("print('out'); display('shown'); 6 * 7", timeout=20)
        assert (result.status, result.value, result.stdout) == ("ok", "42", "out\n")
        assert [d["data"]["text/plain"] for d in result.displays] == ["'shown'"]
        failed = await aio.run("1 / 0", user_expressions={"a": "1"})
        assert failed.error is not None
        assert failed.error.ename == "ZeroDivisionError"
        assert (await aio.kernel_info(reply=True, timeout=20))["content"]["status"] == "ok"
        assert (await aio.auth_status())["shell"].verified > 0
        assert aio.ledger["shell"].verified == 3
        assert aio.ledger.rejected == 0

    use_kernel(client.connection_file, use)


def test_callbacks_may_be_coroutines(client: minikernel.MiniKernelClient, coroutines: Any) -> None:
    seen, on_output, on_input = coroutines

    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        result = await aio.run("input('? ')", on_output=on_output, on_input=on_input)
        assert result.value == "'? answered'"
        assert seen[0] == seen[-1] == "status"
        result = await aio.run("input('? ')", on_input=lambda prompt, _: prompt + "plain")
        assert result.value == "'? plain'"

    use_kernel(client.connection_file, use)


def test_input_from_the_terminal_does_not_stop_the_loop(
    client: minikernel.MiniKernelClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = threading.Event()

    def wait_for_user(prompt: str) -> str:
        assert typed.wait(20)
        return prompt + "typed"

    monkeypatch.setattr("builtins.input", wait_for_user)

    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        asyncio.get_running_loop().call_later(0.05, typed.set)
        assert (await aio.run("input('? ')")).value == "'? typed'"

    use_kernel(client.connection_file, use)


def test_a_timeout_and_an_interrupt_by_message(
    client: minikernel.MiniKernelClient, abandon: Callable[..., None]
) -> None:
    abandon(client)

    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        with pytest.raises(TimeoutError):
            await aio.run("1", timeout=0.1)
        await aio.interrupt()
        await aio.run("1", timeout=20)
        assert (await aio.run("1", timeout=20)).value == "1"

    use_kernel(client.connection_file, use)


def test_other_tasks_run_while_a_cell_floods(client: minikernel.MiniKernelClient) -> None:
    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        seen: list[object] = []
        flood = aio.run("while True: print('x', flush=True)", on_output=seen.append)
        cell = asyncio.ensure_future(flood)
        while len(seen) < 100:
            assert not cell.done()
            await asyncio.sleep(0)
        await aio.interrupt()
        error = (await asyncio.wait_for(cell, 60)).error
        assert error is not None
        assert error.ename == "KeyboardInterrupt"

    use_kernel(client.connection_file, use)


def test_execute_interactive(
    client: minikernel.MiniKernelClient, capsys: pytest.CaptureFixture[str]
) -> None:
    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        async def answer(_msg: dict[str, Any]) -> None:
            aio.input("answer")

        reply = await aio.execute_interactive("print(input('? '))", timeout=20, stdin_hook=answer)
        assert reply["content"]["status"] == "ok"

    use_kernel(client.connection_file, use)
    assert capsys.readouterr().out == "answer\n"


def test_forged_messages_do_not_reach_the_caller(play: Callable[..., Any]) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        rogue.idle(request, **FORGED)
        rogue.reply(request, content={"status": "forged"}, **FORGED)
        frames = rogue.print("genuine", request)
        rogue.iopub.send_multipart([b"topic", *frames])
        rogue.reply(request)
        rogue.idle(request)
        rogue.print("late", request, **FORGED)

    rogue, _ = play(script)

    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        assert (await aio.run("1", timeout=20)).stdout == "genuine"
        with pytest.raises(Empty):
            await aio.get_iopub_msg(timeout=0.1)
        assert not await aio.iopub_channel.msg_ready()
        assert await aio.shell_channel.get_msgs() == []
        assert aio.ledger["iopub"].rejected == {"bad signature": 2, "replayed": 1}
        assert aio.ledger["shell"].rejected == {"bad signature": 1}

    use_kernel(rogue.path, use)


def test_a_lost_idle(play: Callable[..., Any]) -> None:
    rogue, _ = play(lambda rogue, request: rogue.reply(request))

    async def use(aio: minikernel.AsyncMiniKernelClient) -> None:
        assert not (await aio.run("1", timeout=20)).complete

    use_kernel(rogue.path, use)


def test_launch_restart_and_a_death() -> None:
    async def main() -> None:
        async with minikernel.launch_async(extra_arguments=["--history", "off"]) as aio:
            await aio.run("x = 1")
            await aio.restart()
            failed = await aio.run("x")
            assert failed.error is not None
            assert failed.error.ename == "NameError"
            assert await aio.is_alive()
            await aio.interrupt()
            with pytest.raises(minikernel.KernelDied):
                await aio.run("import os; os._exit(3)")

    asyncio.run(main())


def test_it_may_be_awaited_and_closed() -> None:
    async def main() -> None:
        events: list[minikernel.TraceEvent] = []
        aio = await minikernel.launch_async(
            extra_arguments=["--history", "off"], trace=events.append
        )
        try:
            assert (await aio.run("1")).value == "1"
            assert events[0].msg_type == "kernel_info_request"
        finally:
            await aio.close()

    asyncio.run(main())


def test_a_kernel_that_does_not_answer(play: Callable[..., Any]) -> None:
    rogue, _ = play()
    rogue.key = "another key"

    async def main() -> None:
        await minikernel.connect_async(rogue.path, timeout=0.1)

    with pytest.raises(minikernel.KernelDied, match=r"rejected, see client\.ledger"):
        asyncio.run(main())
