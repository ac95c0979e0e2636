"""A callback that raises costs its turn; a thread that ends with an exception is noticed."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from minikernel.transport.loops import MOST_FAILURES, Watch, start_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20


@pytest.fixture
def readable() -> Iterator[int]:
    """A descriptor that has something to read, for ever."""
    read, write = os.pipe()
    os.write(write, b"x")
    yield read
    os.close(read)
    os.close(write)


def test_what_a_callback_raises_ends_nothing(readable: int) -> None:
    calls: list[str] = []
    failed: list[Exception] = []

    def callback() -> None:
        calls.append("source")
        if len(calls) % 2:
            raise KeyError("source")

    Watch({readable: callback}, tick=lambda: None, failed=failed.append).run(
        lambda: len(calls) > 3 * MOST_FAILURES
    )
    assert {type(problem) for problem in failed} == {KeyError}
    assert len(failed) > MOST_FAILURES


def test_a_tick_may_fail_for_ever(readable: int) -> None:
    failed: list[Exception] = []

    def tick() -> None:
        raise ValueError("tick")

    Watch({readable: lambda: None}, tick=tick, interval=0, failed=failed.append).run(
        lambda: len(failed) > MOST_FAILURES + 10
    )


def test_a_source_that_only_fails_ends_the_watch(readable: int) -> None:
    failed: list[Exception] = []

    def callback() -> None:
        raise KeyError("source")

    with pytest.raises(KeyError):
        Watch({readable: callback}, tick=lambda: None, failed=failed.append).run(lambda: False)
    assert len(failed) == MOST_FAILURES


def test_what_ends_a_thread_is_told() -> None:
    failed: list[tuple[str, BaseException]] = []

    def work() -> None:
        raise SystemExit("the work")

    thread = start_thread(
        "worker", work, lambda problem: failed.append((threading.current_thread().name, problem))
    )
    thread.join(PATIENCE)
    [(name, problem)] = failed
    assert (name, str(problem)) == ("worker", "the work")


def test_a_source_that_pauses_has_its_turn_later(readable: int) -> None:
    other = os.dup(readable)
    calls: list[str] = []

    def callback() -> None:
        calls.append("pauses")
        watch.pause(readable)

    sources = {readable: callback, other: lambda: calls.append("goes on")}
    watch = Watch(sources, tick=lambda: None, failed=lambda _: None)
    watch.run(lambda: calls.count("pauses") == 3)
    first, second, third = (i for i, call in enumerate(calls) if call == "pauses")
    assert min(second - first, third - second) > 2
    os.close(other)
