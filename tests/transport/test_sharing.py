"""Which buffers are sent without a copy, and that all arrive as they were."""

from __future__ import annotations

import subprocess
import sys
import time
from array import array
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from zmq.utils.garbage import gc as keeper

from minikernel.transport.sharing import Sharing
from minikernel.transport.sockets import LARGE, Inbox, send

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20  # seconds
DATA = bytes(range(256)) * (2 * LARGE // 256)


class Text(bytes):
    """A subclass may have attributes, and a `__buffer__` of its own."""


SHARED = {
    "bytes": lambda: DATA,
    "exactly as many": lambda: DATA[:LARGE],
    "a view": lambda: memoryview(DATA),
    "a part": lambda: memoryview(DATA)[3:-5],
    "other items": lambda: memoryview(DATA).cast("Q"),
    "two dimensions": lambda: memoryview(DATA).cast("B", [2, LARGE]),
}
COPIED = {
    "small": lambda: DATA[: LARGE - 1],
    "none": lambda: b"",
    "bytearray": lambda: bytearray(DATA),
    "a view of a bytearray": lambda: memoryview(bytearray(DATA)),
    "a read-only view of a bytearray": lambda: memoryview(bytearray(DATA)).toreadonly(),
    "array": lambda: array("Q", DATA),
    "a subclass": lambda: Text(DATA),
}


@pytest.fixture
def pair() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    context = zmq.Context()
    receiver, sender = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    receiver.bind("inproc://buffers")
    sender.connect("inproc://buffers")
    yield receiver, sender
    context.destroy(0)


@pytest.mark.parametrize("name", SHARED)
def test_what_cannot_change_is_shared(pair: Any, name: str) -> None:
    receiver, sender = pair
    buffer = SHARED[name]()
    frames = Sharing().frames([b"one", buffer])
    assert [type(frame) for frame in frames] == [bytes, zmq.Frame]
    assert send(sender, frames)
    assert Inbox(receiver).wait() == [b"one", bytes(buffer)]


@pytest.mark.parametrize("name", COPIED)
def test_all_else_is_copied(pair: Any, name: str) -> None:
    receiver, sender = pair
    buffer = COPIED[name]()
    (frame,) = Sharing().frames([buffer])
    assert frame is buffer
    assert send(sender, [frame])
    was = bytes(buffer)
    if not memoryview(buffer).readonly:
        memoryview(buffer).cast("B")[0] ^= 1
    assert Inbox(receiver).wait() == [was]


def test_a_view_may_be_released_after_it_was_sent(pair: Any) -> None:
    receiver, sender = pair
    view = memoryview(bytes(DATA[1:]))  # nobody else has these bytes
    assert send(sender, Sharing().frames([view]))
    view.release()
    assert Inbox(receiver).wait() == [DATA[1:]]


def test_gaps_are_not_shared() -> None:
    view = memoryview(DATA * 2)[::2]
    assert Sharing().frames([view])[0] is view


def test_nothing_is_kept_once_it_was_taken(pair: Any) -> None:
    receiver, sender = pair
    before = {*keeper.refs}  # of other tests, which may go meanwhile
    assert send(sender, Sharing().frames([DATA, DATA]))
    ours = {*keeper.refs} - before
    assert len(ours) >= 2  # and what the thread began with, if it began here
    Inbox(receiver).wait()
    until(lambda: ours.isdisjoint({*keeper.refs}))


def until(reached: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline


WITHOUT_DESCRIPTORS = f"""
import os, resource, zmq
from minikernel.transport.sharing import Sharing
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
held = []
try:
    while True: held.append(os.dup(0))
except OSError: pass
buffer, sharing = bytes({LARGE}), Sharing()
assert sharing.frames([buffer])[0] is buffer
for one in held: os.close(one)
assert type(sharing.frames([buffer])[0]) is zmq.Frame
held.clear()
try:
    while True: held.append(os.dup(0))
except OSError: pass
assert type(sharing.frames([buffer])[0]) is zmq.Frame  # it needs no further descriptors
print("good")
os._exit(0)
"""


def test_no_descriptor_is_left() -> None:
    command = [sys.executable, "-c", WITHOUT_DESCRIPTORS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("good\n", "", 0)
