"""Pipes are tried with descriptors of their own; 0, 1 and 2 in test_streams.py."""

from __future__ import annotations

import ctypes  # noqa: F401 - CStdio looks whether somebody has
import os
from typing import TYPE_CHECKING

import pytest

from minikernel.kernel.descriptors import CStdio, Pipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    descriptor = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    pipe = Pipe("stdout", descriptor)
    yield pipe
    pipe.close()
    os.close(pipe.original)
    os.close(descriptor)


def test_what_is_written_can_be_read(pipe: Pipe) -> None:
    os.write(pipe.descriptor, b"text")
    assert pipe.read(final=False) == "text"
    assert pipe.read(final=False) == ""


def test_a_character_waits_for_its_end(pipe: Pipe) -> None:
    os.write(pipe.descriptor, "aä".encode()[:-1])
    assert pipe.read(final=False) == "a"
    os.write(pipe.descriptor, "ä".encode()[1:])
    assert pipe.read(final=False) == "ä"


def test_the_last_read_replaces_what_is_no_character(pipe: Pipe) -> None:
    os.write(pipe.descriptor, b"\xff\xc3")
    assert pipe.read(final=True) == "\N{REPLACEMENT CHARACTER}" * 2


def test_a_full_pipe_is_read_at_once(pipe: Pipe) -> None:
    os.set_blocking(pipe.descriptor, False)
    size = fill(pipe.descriptor)
    assert size > 0
    assert len(pipe.read(final=False)) == size


def test_closing_the_descriptor_is_no_end_of_file(pipe: Pipe) -> None:
    other = os.dup(pipe.descriptor)
    os.dup2(pipe.original, pipe.descriptor)
    os.write(other, b"last")
    os.close(other)
    assert pipe.read(final=False) == "last"
    assert pipe.read(final=False) == ""


def test_only_the_descriptor_itself_is_inherited(pipe: Pipe) -> None:
    assert os.get_inheritable(pipe.descriptor)
    assert not os.get_inheritable(pipe.end)
    assert not os.get_inheritable(pipe.original)


def test_flushing_c_twice_is_harmless() -> None:
    stdio = CStdio()
    stdio.flush()  # ctypes is imported, so this looks for libc's stdout
    stdio.flush()


def fill(descriptor: int) -> int:
    size = 0
    while True:
        try:
            size += os.write(descriptor, b"x" * 4096)
        except BlockingIOError:
            return size
