"""Clients that several threads or tasks use, that are closed meanwhile, or inherited by a fork."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.errors import ClientClosed, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60
SLEEPING = "import time; print('started'); time.sleep(600)"
SLOW_TO_END = """import time
try: time.sleep(600)
finally: time.sleep(0.5)"""
SCHEMES = pytest.mark.parametrize("scheme", ["hmac-sha256", "channel-hmac-sha256"])


@pytest.fixture
def fresh() -> Iterator[minikernel.MiniKernelClient]:
    with minikernel.launch(extra_arguments=["--history", "off"]) as client:
        yield client


def in_threads(work: Callable[[int], object], count: int = 4) -> None:
    problems: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as problem:  # noqa: BLE001 - raised below
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    if problems:
        raise problems[0]


@SCHEMES
def test_four_threads_use_one_client(scheme: str) -> None:
    def work(number: int) -> None:
        for i in range(5):
            assert client.run(f"{number} * 100 + {i}").value == str(number * 100 + i)
            reply = client.is_complete(f"x = {i}", reply=True, timeout=PATIENCE)
            assert reply["content"] == {"status": "complete"}
            assert client.auth_status(PATIENCE).rejected == 0
            assert client.kernel_info(reply=True, timeout=PATIENCE)["content"]["status"] == "ok"

    with minikernel.launch(scheme=scheme, extra_arguments=["--history", "off"]) as client:
        in_threads(work)


def test_a_thread_that_gets_no_turn_in_time_is_told(fresh: minikernel.MiniKernelClient) -> None:
    runs, go = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> None:
        runs.set()
        go.wait(PATIENCE)

    thread = threading.Thread(target=fresh.run, args=("1",), kwargs={"on_output": hold})
    thread.start()
    runs.wait(PATIENCE)
    for call in (lambda: fresh.run("2", timeout=0.1), lambda: fresh.wait_for_ready(0.1)):
        with pytest.raises(TimeoutError, match="another thread"):
            call()
    assert fresh.auth_status(PATIENCE).rejected == 0  # control is free
    go.set()
    thread.join(PATIENCE)
    assert fresh.run("2").value == "2"


def test_four_tasks_use_one_client() -> None:
    async def work() -> list[str | None]:
        async with minikernel.launch_async() as client:
            cells = [client.run(f"{i}", timeout=PATIENCE) for i in range(4)]
            status = client.auth_status(PATIENCE)
            *results, ledger = await asyncio.gather(*cells, status)
            assert ledger.rejected == 0
            with pytest.raises(TimeoutError, match="another thread"):
                await asyncio.gather(
                    client.run("import time; time.sleep(1)"), client.run("2", timeout=0.1)
                )
            return [result.value for result in results]

    assert asyncio.run(work()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.run("1"),
        lambda client: client.complete("x", reply=True),
        lambda client: client.wait_for_ready(),
    ],
)
def test_a_callback_can_not_wait_for_another_answer(
    fresh: minikernel.MiniKernelClient, use: Callable[[minikernel.MiniKernelClient], object]
) -> None:
    def nested(_: dict[str, Any]) -> None:
        with pytest.raises(LocalProtocolError, match="callback"):
            use(fresh)
        assert fresh.auth_status(PATIENCE).rejected == 0  # on control it may
        assert fresh.execute("None")  # nor does this wait

    assert fresh.run("print(1)", on_output=nested, timeout=PATIENCE).status == "ok"


def test_closing_twice_and_inside_with(fresh: minikernel.MiniKernelClient) -> None:
    fresh.close()
    assert fresh.is_closed
    assert repr(fresh) == f"MiniKernelClient({fresh.connection_file!r}, hmac-sha256, closed)"
    assert not fresh.manager.has_kernel  # type: ignore[union-attr]
    in_threads(lambda _: fresh.close())


def test_an_asyncio_client_may_be_closed_twice() -> None:
    async def work() -> None:
        async with minikernel.launch_async() as client:
            await client.close()
            with pytest.raises(ClientClosed):
                await client.run("1")
            await client.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.run("1"),
        lambda client: client.execute("1"),
        lambda client: client.kernel_info(reply=True),
        lambda client: client.get_iopub_msg(timeout=1),
        lambda client: client.input("x"),
        lambda client: client.auth_status(),
        lambda client: client.wait_for_ready(1),
        lambda client: client.interrupt(),
        lambda client: client.restart(),
    ],
)
def test_a_closed_client_says_that_it_is_closed(
    closed: minikernel.MiniKernelClient, use: Callable[[minikernel.MiniKernelClient], object]
) -> None:
    with pytest.raises(ClientClosed, match="this client is closed"):
        use(closed)


@pytest.fixture(scope="module")
def closed() -> minikernel.MiniKernelClient:
    client = minikernel.launch()
    client.close()
    assert client.ledger["control"].verified  # what was counted can still be looked at
    return client


def test_closing_in_another_thread_ends_the_wait(fresh: minikernel.MiniKernelClient) -> None:
    def close(msg: dict[str, Any]) -> None:
        if msg["msg_type"] == "stream":
            threading.Thread(target=fresh.close).start()

    with pytest.raises(ClientClosed):
        fresh.run(SLEEPING, on_output=close)
    fresh.close()
    assert not fresh.manager.has_kernel  # type: ignore[union-attr]


def test_closing_in_a_callback_ends_the_wait(fresh: minikernel.MiniKernelClient) -> None:
    with pytest.raises(ClientClosed):
        fresh.run(SLEEPING, on_output=lambda _: fresh.close())
    assert not fresh.manager.has_kernel  # type: ignore[union-attr]


def test_closing_in_another_task_ends_the_wait() -> None:
    async def work() -> None:
        client = await minikernel.launch_async()
        runs = asyncio.Event()
        cell = asyncio.create_task(client.run(SLEEPING, on_output=lambda _: runs.set()))
        await runs.wait()
        await client.close()
        with pytest.raises(ClientClosed):
            await cell
        assert not client.manager.has_kernel  # type: ignore[union-attr]

    asyncio.run(work())


def test_a_forked_child_leaves_the_parents_kernel_alone(
    fresh: minikernel.MiniKernelClient,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads and fork
        child = os.fork()
    if child == 0:
        code = 1
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        try:
            for use in (lambda: fresh.run("1"), fresh.interrupt, fresh.restart):
                with pytest.raises(LocalProtocolError):
                    use()
            fresh.close()
            fresh.manager.__del__()  # type: ignore[union-attr]
            fresh.manager.cleanup_connection_file()  # type: ignore[union-attr]
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert Path(fresh.connection_file).exists()
    assert fresh.run("6 * 7", timeout=PATIENCE).value == "42"


def test_the_cell_after_one_that_was_given_up_and_interrupted_runs(
    fresh: minikernel.MiniKernelClient,
) -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError):
            fresh.run(SLOW_TO_END, timeout=0.5)
        fresh.interrupt()
        result = fresh.run("6 * 7", timeout=PATIENCE)
        assert (result.status, result.value) == ("ok", "42")


def test_the_same_with_asyncio() -> None:
    async def work() -> None:
        async with minikernel.launch_async() as client:
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await client.run(SLOW_TO_END, timeout=0.5)
                await client.interrupt()
                result = await client.run("6 * 7", timeout=PATIENCE)
                assert (result.status, result.value) == ("ok", "42")

    asyncio.run(work())


def test_a_cell_behind_one_that_fails_is_aborted_as_before(
    fresh: minikernel.MiniKernelClient,
) -> None:
    first = fresh.execute("import time; time.sleep(0.5); 1 / 0")
    result = fresh.run("6 * 7", timeout=PATIENCE)
    assert first
    assert result.status == "aborted"
