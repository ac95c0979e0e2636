"""A coroutine that is run on the spot does what a function does; lanes, of threads and of tasks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from minikernel.client.waiting import Tasks, ThreadLane, Threads, left, now

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_what_waits_for_no_loop_is_done_at_once() -> None:
    async def inner(number: int) -> int:
        return await Threads.settled(number) + 1

    async def outer() -> int:
        return await inner(1) + await inner(2)

    assert now(outer()) == 5


def test_what_it_raises_comes_out() -> None:
    async def fail() -> None:
        await Threads.settled(None)
        raise KeyError

    with pytest.raises(KeyError):
        now(fail())


def test_what_waits_for_a_loop_is_ended() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append("in order")

    with pytest.raises(RuntimeError, match="event loop"):
        now(wait())
    assert ended == ["in order"]


def test_a_signal_is_raised_inside_of_it() -> None:
    async def interrupted() -> str:
        try:
            await Threads.settled(signal.raise_signal(signal.SIGINT))
        except KeyboardInterrupt:
            return "inside"
        return "not at all"

    assert now(interrupted()) == "inside"


def test_it_runs_inside_of_a_loop_too() -> None:
    async def main() -> int:
        return now(Threads.settled(3))

    assert asyncio.run(main()) == 3


def test_what_is_to_come_yet_is_awaited_by_a_task_only() -> None:
    async def five() -> int:
        await asyncio.sleep(0)
        return 5

    async def main() -> None:
        assert await Tasks.settled(5) == 5
        assert await Tasks.settled(five()) == 5
        later = five()
        assert await Threads.settled(later) is later
        assert await later == 5

    asyncio.run(main())


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_a_callback_is_called_aside_and_waited_for(*, is_coroutine: bool) -> None:
    seen: list[object] = []

    @contextlib.contextmanager
    def aside() -> Iterator[None]:
        seen.append("in")
        yield
        seen.append("out")

    async def later(value: int) -> int:
        await asyncio.sleep(0)
        seen.append(value)
        return value + 1

    def plain(value: int) -> int:
        seen.append(value)
        return value + 1

    assert Threads.callback(later if is_coroutine else plain, aside)(1) == 2
    assert seen == ["in", 1, "out"]
    assert Tasks.callback(plain, aside) is plain


def test_a_lane_of_threads() -> None:
    lane, got = ThreadLane(), []

    def other() -> None:
        got.append(now(lane.acquire(time.monotonic())))

    def ask() -> bool:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return got[-1]

    assert now(lane.acquire(None))
    assert now(lane.acquire(None))
    lane.release()
    assert not ask()
    lane.release()
    assert ask()


def test_a_lane_of_tasks() -> None:
    async def main() -> None:
        lane = Tasks.lane()
        assert await lane.acquire(None)
        assert await lane.acquire(time.monotonic())
        lane.release()
        assert not await asyncio.create_task(lane.acquire(time.monotonic()))
        waiting = asyncio.create_task(lane.acquire(time.monotonic() + 20))
        await asyncio.sleep(0)
        lane.release()
        assert await waiting

    asyncio.run(main())


def test_a_task_that_is_cancelled_has_no_turn() -> None:
    async def main() -> None:
        lane = Tasks.lane()
        assert await lane.acquire(None)
        waiting = asyncio.create_task(lane.acquire(None))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        lane.release()
        assert await asyncio.create_task(lane.acquire(time.monotonic()))

    asyncio.run(main())


def test_an_event_that_happens_and_one_that_does_not() -> None:
    event = Threads.event()
    assert not now(Threads.happens(event, 0.0))
    event.set()
    assert now(Threads.happens(event, 0.0))

    async def main() -> None:
        event = Tasks.event()
        assert not await Tasks.happens(event, 0.0)
        event.set()
        assert await Tasks.happens(event, 20.0)

    asyncio.run(main())


def test_nothing_is_left_of_a_moment_that_is_over() -> None:
    assert left(time.monotonic() - 1) == 0.0
    assert 0.0 < left(time.monotonic() + 100) <= 100.0
