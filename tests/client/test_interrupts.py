from __future__ import annotations

import signal
import threading

import pytest

from minikernel.client.interrupts import Forwarding


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_first_is_forwarded_and_the_second_raises() -> None:
    forwarded: list[str] = []
    with Forwarding(lambda: forwarded.append("x")):
        press()
        assert forwarded == ["x"]
        with pytest.raises(KeyboardInterrupt):
            press()
    assert forwarded == ["x"]


def test_one_that_comes_before_the_cell_has_begun_is_sent_again() -> None:
    forwarded: list[str] = []
    with Forwarding(lambda: forwarded.append("x")) as forwarding:
        press()
        forwarding.cell_runs()
        assert forwarded == ["x", "x"]
        forwarding.cell_runs()
    assert forwarded == ["x", "x"]


def test_one_that_comes_while_the_cell_runs_is_sent_once() -> None:
    forwarded: list[str] = []
    with Forwarding(lambda: forwarded.append("x")) as forwarding:
        forwarding.cell_runs()
        press()
        forwarding.cell_runs()
    assert forwarded == ["x"]


def test_without_a_kernel_of_ours_it_raises_at_once() -> None:
    with Forwarding(None), pytest.raises(KeyboardInterrupt):
        press()


def test_it_ends_a_callback() -> None:
    forwarded: list[str] = []
    reached: list[str] = []

    def callback() -> str:
        press()
        reached.append("the end")
        return "value"

    with Forwarding(lambda: forwarded.append("x")) as forwarding:
        assert forwarding.call(callback) is None
        assert forwarded == ["x"]
        assert reached == []
        with pytest.raises(KeyboardInterrupt):
            forwarding.call(callback)


def test_the_handler_is_put_back() -> None:
    with Forwarding(None):
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_stays() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda signum, _frame: seen.append(signum))
    try:
        with Forwarding(lambda: pytest.fail("not ours to forward")):
            press()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_thread_has_no_signals() -> None:
    problems: list[BaseException] = []

    def use() -> None:
        try:
            with Forwarding(None) as forwarding:
                assert forwarding.call(lambda: 5) == 5
        except BaseException as problem:  # noqa: BLE001 - told to the test
            problems.append(problem)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert problems == []
