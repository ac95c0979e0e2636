from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from minikernel.client.interrupts import Forwarding, end
from minikernel.wire.channels import Channel

MESSAGE: Any = {"msg_type": "stream"}


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def forwarding_to(forwarded: list[str], **options: Any) -> Forwarding:
    return Forwarding(lambda: forwarded.append("x"), {}, **options)


def test_the_first_is_forwarded_and_the_second_raises() -> None:
    forwarded: list[str] = []
    with forwarding_to(forwarded):
        press()
        assert forwarded == ["x"]
        with pytest.raises(KeyboardInterrupt):
            press()
    assert forwarded == ["x"]


def test_one_that_comes_before_the_cell_has_begun_is_sent_again() -> None:
    forwarded: list[str] = []
    with forwarding_to(forwarded) as forwarding:
        press()
        forwarding.handle(Channel.IOPUB, MESSAGE)
        assert forwarded == ["x", "x"]
        forwarding.handle(Channel.IOPUB, MESSAGE)
    assert forwarded == ["x", "x"]


def test_one_that_comes_while_the_cell_runs_is_sent_once() -> None:
    forwarded: list[str] = []
    with forwarding_to(forwarded) as forwarding:
        forwarding.handle(Channel.IOPUB, MESSAGE)
        press()
        forwarding.handle(Channel.IOPUB, MESSAGE)
    assert forwarded == ["x"]


def test_without_a_kernel_of_ours_it_raises_at_once() -> None:
    with Forwarding(None, {}), pytest.raises(KeyboardInterrupt):
        press()


def test_it_ends_what_asks_the_user() -> None:
    forwarded: list[str] = []
    reached: list[str] = []

    def ask(_: object) -> None:
        press()
        reached.append("the end")

    with forwarding_to(forwarded, holds=True) as forwarding:
        forwarding.hold()
        forwarding.call(ask, MESSAGE, asks=True)
        assert (forwarded, reached) == (["x"], [])
        with pytest.raises(KeyboardInterrupt):
            forwarding.call(ask, MESSAGE, asks=True)


def test_only_the_second_ends_another_handler() -> None:
    forwarded: list[str] = []
    reached: list[str] = []

    def show(_: object) -> None:
        press()
        reached.append("once")
        press()
        reached.append("twice")

    with forwarding_to(forwarded) as forwarding:
        forwarding.hold()
        with pytest.raises(KeyboardInterrupt):
            forwarding.call(show, MESSAGE)
    assert (forwarded, reached) == (["x"], ["once"])


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGTERM, SystemExit),
        (signal.SIGHUP, SystemExit),
    ],
)
def test_a_message_that_was_taken_is_handled_first(
    number: signal.Signals, kind: type[BaseException]
) -> None:
    reached: list[str] = []

    def take(_: object) -> None:
        signal.raise_signal(number)
        reached.append("the end")

    before = {ending: signal.signal(ending, end) for ending in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with Forwarding(None, {Channel.IOPUB: take}, holds=True) as forwarding:
            forwarding.hold()
            signal.raise_signal(number)
            forwarding.handle(Channel.IOPUB, MESSAGE)
            assert reached == ["the end"]
            with pytest.raises(kind):
                forwarding.let_go()
            with pytest.raises(kind):
                signal.raise_signal(number)
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def test_the_handler_is_put_back() -> None:
    with Forwarding(None, {}):
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_stays() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda signum, _frame: seen.append(signum))
    try:
        with Forwarding(lambda: pytest.fail("not ours to forward"), {}):
            press()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_thread_has_no_signals() -> None:
    seen: list[Any] = []
    problems: list[BaseException] = []

    def use() -> None:
        try:
            with Forwarding(None, {}) as forwarding:
                forwarding.call(seen.append, MESSAGE)
        except BaseException as problem:  # noqa: BLE001 - told to the test
            problems.append(problem)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert (seen, problems) == ([MESSAGE], [])
