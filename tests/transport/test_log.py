from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minikernel.transport.log import Log

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)


def test_one_line_a_second_and_the_last(tmp_path: Path) -> None:
    file = opened(tmp_path / "terminal")
    log = Log(lambda: file)
    log.line("one")
    log.line("two")
    log.last("three")
    assert (tmp_path / "terminal").read_text() == "minikernel: one\nminikernel: three\n"
    os.close(file)


def test_a_terminal_that_nobody_reads_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    assert not Log(lambda: writing).offer("one")
    Log(lambda: writing).last("two")
    os.close(reading)
    os.close(writing)


def test_a_terminal_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert not Log(lambda: writing).offer("one")
    os.close(writing)
