"""What Python does at its end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from minikernel.interpreter import ending
from minikernel.interpreter.ending import attempt, cancel_tasks, clear, flush_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_step_that_fails_does_not_stop_the_others(error: type[BaseException]) -> None:
    def fail() -> NoReturn:
        raise error

    assert attempt(fail) is None
    assert attempt(max, 3, 4) == 4


def test_tasks_come_to_their_finally() -> None:
    came = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            came.append("finally")

    async def begin() -> asyncio.Task[None]:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        return task

    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(begin())
    cancel_tasks(loop, 20)
    loop.close()
    assert came == ["finally"]
    assert task.cancelled()


THREADS = """
import threading
from minikernel.interpreter.ending import finish_threads
go = threading.Event()
thread = threading.Thread(target=go.wait, name="of the user")
thread.start()
assert finish_threads(0.01) == ["of the user"]
go.set()
assert finish_threads(20) == []
assert not thread.is_alive()
"""


def test_threads_are_waited_for_and_named_if_they_stay() -> None:
    """In a process of its own, which has no other threads, and whose executors may end."""
    subprocess.run([sys.executable, "-c", THREADS], check=True, timeout=60)


def test_names_go_in_python_s_order() -> None:
    gone: list[str] = []

    class Tells:
        def __init__(self, name: str) -> None:
            self.name = name

        def __del__(self) -> None:
            gone.append(self.name)

    names = ("first", "_second", "__third", "__builtins__")
    namespace = {name: Tells(name) for name in names}
    clear(namespace)
    assert gone == ["_second", "first", "__third"]
    assert namespace["__builtins__"] is not None


def test_open_files_are_written(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w") as file, (tmp_path / "y").open("wb") as raw:
        file.write("text")
        raw.write(b"bytes")
        flush_files()
        assert (tmp_path / "x").read_text() == "text"
        assert (tmp_path / "y").read_bytes() == b"bytes"


def test_a_frozen_clock_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    assert ending._now[0]() > 0
