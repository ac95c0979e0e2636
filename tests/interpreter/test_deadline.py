from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

import pytest

from minikernel.interpreter import introspect
from minikernel.interpreter.deadline import within


def forever() -> None:
    while True:
        pass


def interrupted() -> None:
    raise KeyboardInterrupt


def busy(seconds: float) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError):
        within(0.05, forever)


def test_what_ends_in_time_hears_nothing_of_it() -> None:
    assert within(60, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        within(60, divmod, 1, 0)
    with pytest.raises(KeyboardInterrupt):
        within(60, interrupted)


def test_at_the_last_moment_it_is_one_or_the_other() -> None:
    for _ in range(10):
        with contextlib.suppress(TimeoutError):
            within(0.05, busy, 0.05)


def test_an_interrupt_that_is_lost_is_not_the_last() -> None:
    def lost_once() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            forever()
        forever()

    with pytest.raises(TimeoutError):
        within(0.05, lost_once)


def test_of_an_interrupt_that_a_finaliser_lost_nothing_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Thing:
        def __del__(self) -> None:
            forever()

    def lost_once() -> None:
        Thing()
        forever()

    hook = sys.unraisablehook
    with pytest.raises(TimeoutError):
        within(0.05, lost_once)
    assert sys.unraisablehook is hook
    assert capfd.readouterr() == ("", "")


def test_other_threads_have_no_limit() -> None:
    ended = []
    thread = threading.Thread(target=lambda: ended.append(within(0.01, busy, 0.1)))
    thread.start()
    thread.join()
    assert ended == [None]


def test_a_property_that_takes_long_does_not_keep_a_completion(monkeypatch: Any) -> None:
    pytest.importorskip("jedi")
    came_to_its_end = []

    class Thing:
        # Without an annotation, from which jedi would know what comes, and not run it.
        slow = property(lambda _: busy(30) or came_to_its_end.append(True))

    code = "thing.slow."
    monkeypatch.setattr(introspect, "PATIENCE", 4.0)
    introspect.complete("thing.", 6, {"thing": Thing()})  # jedi is loaded and knows the way
    monkeypatch.setattr(introspect, "PATIENCE", 0.5)
    assert introspect.complete(code, len(code), {"thing": Thing()}).end == len(code)
    assert came_to_its_end == []
