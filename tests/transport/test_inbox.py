"""Messages as they come from a socket: whole, in portions, too large, or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import zmq

from minikernel.transport import sockets
from minikernel.transport.sockets import LARGE, MAX_FRAMES, PORTION, Inbox
from tests.zmtp import connected, message

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20_000  # milliseconds
Pair = tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]


def pair(bound: int, connected: int) -> Iterator[Pair]:
    context = zmq.Context()
    context.linger = 0
    receiver, sender = context.socket(bound), context.socket(connected)
    receiver.bind("tcp://127.0.0.1:0")
    sender.connect(receiver.last_endpoint.decode().rstrip("\0"))
    yield receiver, sender
    context.destroy(0)


@pytest.fixture
def dealers() -> Iterator[Pair]:
    yield from pair(zmq.DEALER, zmq.DEALER)


@pytest.fixture
def subscription() -> Iterator[Pair]:
    yield from pair(zmq.XPUB, zmq.XSUB)


def all_of(inbox: Inbox, socket: zmq.Socket[bytes], wanted: int) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    while len(found) < wanted:
        assert inbox.unfinished or socket.poll(PATIENCE)
        found += inbox.some()
    return found


def test_a_message_comes_whole(dealers: Pair) -> None:
    receiver, sender = dealers
    sender.send_multipart([b"a", b"", b"c" * 100_000])
    assert Inbox(receiver).wait() == [b"a", b"", b"c" * 100_000]


def test_a_large_buffer_is_a_view_that_nobody_can_write_to(dealers: Pair) -> None:
    receiver, sender = dealers
    sent = [b"x" * LARGE] * 9 + [b"x" * (LARGE - 1)]
    sender.send_multipart(sent)
    frames = Inbox(receiver).wait()
    assert frames == sent
    assert [type(frame) for frame in frames] == [bytes] * 7 + [memoryview] * 2 + [bytes]
    assert memoryview(frames[7]).readonly


def test_nothing_has_come(dealers: Pair) -> None:
    inbox = Inbox(dealers[0])
    assert inbox.next() is None
    assert not inbox.unfinished
    assert list(inbox.some()) == []


def test_a_message_of_many_frames_is_read_in_portions_and_is_empty(dealers: Pair) -> None:
    receiver, sender = dealers
    sender.send_multipart([b""] * (3 * PORTION + 5))
    sender.send_multipart([b"next"])
    assert receiver.poll(PATIENCE)
    inbox = Inbox(receiver)
    for _ in range(3):
        assert inbox.next() is None
        assert inbox.unfinished
    assert inbox.next() == []
    assert all_of(inbox, receiver, 1) == [[b"next"]]


@pytest.mark.parametrize(("frames", "fits"), [(MAX_FRAMES, True), (MAX_FRAMES + 1, False)])
def test_frames_are_limited(dealers: Pair, frames: int, *, fits: bool) -> None:
    receiver, sender = dealers
    sender.send_multipart([b"x"] * frames)
    assert len(Inbox(receiver).wait()) == (frames if fits else 0)


@pytest.mark.parametrize(
    ("sizes", "fits"), [((40, 60), True), ((101,), False), ((40, 61, 0), False)]
)
def test_the_sum_of_all_frames_is_limited(
    dealers: Pair, sizes: tuple[int, ...], *, fits: bool
) -> None:
    receiver, sender = dealers
    sender.send_multipart([bytes(size) for size in sizes])
    sender.send_multipart([b"next"])
    inbox = Inbox(receiver, 100)
    assert inbox.wait() == ([bytes(size) for size in sizes] if fits else [])
    assert inbox.wait() == [b"next"]


@pytest.mark.parametrize(
    "cut",
    [
        [b"x", b"\0of a topic that nobody has"],
        [b"\1topic", b"x", b"\0another"],
        [b"\0", b"x", b"\0"],
        [b"x", b"\1topic", b"\0another"],
    ],
)
@pytest.mark.parametrize("only_first", [0, 1])
def test_a_message_that_libzmq_cuts_off_is_empty_and_harms_no_other(
    subscription: Pair, cut: list[bytes], only_first: int
) -> None:
    receiver, sender = subscription
    receiver.xpub_verbose = 1
    receiver.setsockopt(zmq.ONLY_FIRST_SUBSCRIBE, only_first)
    sender.send_multipart(cut)
    inbox, found = Inbox(receiver), []
    while [b"\1end"] not in found:
        sender.send_multipart([b"\1end"])  # what was cut off may take the first one with it
        assert receiver.poll(PATIENCE)
        found += inbox.some()
    assert all(type(frames) is list for frames in found)


def test_the_rest_of_a_message_that_does_not_come_is_not_waited_for(subscription: Pair) -> None:
    receiver, sender = subscription
    receiver.xpub_verbose = 1
    receiver.setsockopt(zmq.ONLY_FIRST_SUBSCRIBE, 0)
    inbox = Inbox(receiver)
    sender.send(b"\1topic")
    assert inbox.wait() == [b"\1topic"]
    peer = connected(int(receiver.last_endpoint.decode().rstrip("\0").rpartition(":")[2]), "SUB")
    peer.send(message([b"\1topic"]))
    assert inbox.wait() == [b"\1topic"]
    peer.send(message([b"x", b"\0topic"]))  # the other one still has it: libzmq keeps this back
    assert receiver.poll(PATIENCE)
    assert inbox.next() == []
    peer.close()


def test_a_message_whose_sender_fails_does_not_become_part_of_the_next(dealers: Pair) -> None:
    receiver, sender = dealers
    with pytest.raises(TypeError):
        sockets.send(sender, [b"a", b"b", "no bytes", b"d"])  # type: ignore[list-item]
    assert sockets.send(sender, [b"next"])
    inbox = Inbox(receiver)
    assert inbox.wait() == [b"a", b"b", b""]
    assert inbox.wait() == [b"next"]


def test_what_was_announced_and_has_gone_was_not_cut_off(
    dealers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, sender = dealers
    inbox, read = Inbox(receiver), sockets._receive_frame

    def gone(*_: object) -> None:
        monkeypatch.setattr(sockets, "_receive_frame", read)
        raise zmq.Again

    sender.send(b"something")
    assert receiver.poll(PATIENCE)
    monkeypatch.setattr(sockets, "_receive_frame", gone)
    assert inbox.next() is None
    assert inbox.next() == [b"something"]
    monkeypatch.setattr(sockets, "_receive_frame", gone)
    sender.send(b"else")
    assert inbox.wait() == [b"else"]


def test_a_reader_who_must_keep_up_goes_on_where_it_was(subscription: Pair) -> None:
    receiver, sender = subscription
    inbox = Inbox(receiver)
    assert (list(inbox.waiting(10)), inbox.behind) == ([], False)
    sent = [[b"\x01topic %d" % number] for number in range(5)]
    for frames in sent:
        sender.send_multipart(frames)
    found: list[list[bytes] | None] = []
    while len(found) < 3:
        assert receiver.poll(PATIENCE)
        found += inbox.waiting(3 - len(found))
    assert inbox.behind  # there may be more, and nobody has looked
    while len(found) < 5:
        assert inbox.behind or receiver.poll(PATIENCE)
        found += inbox.waiting(10)
    assert (found, inbox.behind) == (sent, False)


def test_a_reader_who_must_keep_up_gets_portions_too(subscription: Pair) -> None:
    receiver, sender = subscription
    inbox = Inbox(receiver)
    sender.send_multipart([b"\x07"] * (2 * PORTION))
    found: list[list[bytes] | None] = []
    while found.count(None) == len(found):
        assert inbox.behind or receiver.poll(PATIENCE)
        found += inbox.waiting(1)
    assert found[:-1] == [None] * (len(found) - 1)
    assert len(found) > 1
