from __future__ import annotations

import signal

import pytest

import minikernel
from minikernel.cli.kernels import kernel_of_our_own, orderly_end
from minikernel.kernel.signals import ENDINGS


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_ends_the_work_inside_in_order(number: signal.Signals) -> None:
    done: list[str] = []

    def work() -> None:
        with orderly_end():
            try:
                signal.raise_signal(number)
            finally:
                done.append("cleaned up")

    with pytest.raises(SystemExit) as end:
        work()
    assert (end.value.code, done) == (128 + number, ["cleaned up"])
    assert signal.getsignal(number) is signal.SIG_DFL


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_kernel_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(minikernel.KernelDied, match=r"it said: minikernel: .*--nonsense"),
        kernel_of_our_own(extra_arguments=["--nonsense"]),
    ):
        pytest.fail("it has started")
