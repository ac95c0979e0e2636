"""What a man in the middle sees, and says."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from minikernel.lab.network.passing import Passing, Recorder
from minikernel.wire.channels import Channel, Role

PATIENCE = 20.0  # seconds
ONE = Passing(Channel.SHELL, Role.KERNEL, b"ada", [b"1"])
OTHER = ONE._replace(frames=[b"2"])


def test_without_a_rule_all_goes_on() -> None:
    recorder = Recorder()
    assert list(recorder._record(ONE)) == [ONE]
    assert recorder.tape == [ONE]


def test_a_rule_says_what_goes_on_and_the_tape_what_came() -> None:
    recorder = Recorder()
    recorder.rule = lambda passing: [passing, OTHER]
    assert list(recorder._record(ONE)) == [ONE, OTHER]
    recorder.rule = lambda _: []
    assert list(recorder._record(ONE)) == []
    assert recorder.tape == [ONE, ONE]


def test_a_rule_that_fails_is_told_of() -> None:
    def fail(_: object) -> NoReturn:
        raise LookupError("a rule that fails")

    recorder = Recorder()
    recorder.check()
    recorder.rule = fail
    assert list(recorder._record(ONE)) == [ONE]
    with pytest.raises(LookupError, match="a rule that fails"):
        recorder.check()


def test_what_is_wanted_is_waited_for() -> None:
    recorder = Recorder()
    recorder._record(ONE)
    assert recorder.wait(lambda p: p is ONE, 0) is ONE
    assert recorder.wait(lambda p: p is ONE, 0, start=1) is None
    thread = threading.Thread(target=recorder._record, args=(OTHER,))
    thread.start()
    assert recorder.wait(lambda p: p is OTHER, PATIENCE) is OTHER
    thread.join()
