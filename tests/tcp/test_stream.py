"""Streams over real sockets: framing, deadlines, the challenge."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.challenge import (
    FAILURE,
    MD5,
    PLAIN,
    SHA256,
    Challenger,
    Dialect,
    Responder,
)
from minikernel.auth.keys import SecretKey
from minikernel.errors import ChallengeError, FramingError
from minikernel.tcp.stream import (
    Stream,
    answer_challenge,
    connect,
    deliver_challenge,
    introduce,
    welcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20  # seconds
KEY, OTHER = SecretKey(b"a key that both hold"), SecretKey(b"not that key")
DIALECTS = pytest.mark.parametrize("dialect", [SHA256, MD5], ids=lambda d: d.name)


@pytest.fixture
def pair() -> Iterator[tuple[Stream, Stream]]:
    """The two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = connect(server.getsockname(), PATIENCE)
        far = Stream(server.accept()[0], PATIENCE)
    with closing(near), closing(far):
        yield near, far


@pytest.fixture
def meanwhile() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.mark.parametrize("message", [b"", b"x", bytes(range(256)) * 300])
def test_a_message_is_its_length_and_its_bytes(pair: tuple[Stream, Stream], message: bytes) -> None:
    near, far = pair
    near.send_message(message)
    near.send_message(message)
    assert far.receive(4) == len(message).to_bytes(4, "big")
    assert far.receive(len(message)) == message
    assert far.receive_message() == message


def test_the_long_form_of_a_length(pair: tuple[Stream, Stream]) -> None:
    near, far = pair
    near.send(b"\xff\xff\xff\xff" + (5).to_bytes(8, "big") + b"hello")
    assert far.receive_message() == b"hello"


@pytest.mark.parametrize(
    "length",
    [b"\0\0\1\1", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xfe", b"\xff\xff\xff\xff" + b"\xff" * 8],
)
def test_a_message_that_is_too_long_is_not_read(pair: tuple[Stream, Stream], length: bytes) -> None:
    near, far = pair
    near.send(length)
    with pytest.raises(FramingError):
        far.receive_message(256)


@pytest.mark.parametrize("cut", [b"", b"\0\0", b"\0\0\0\5hell"])
def test_a_message_that_is_cut_off(pair: tuple[Stream, Stream], cut: bytes) -> None:
    near, far = pair
    near.send(cut)
    near.close()
    with pytest.raises(EOFError):
        far.receive_message()


def test_a_deadline_is_for_everything_until_the_next(pair: tuple[Stream, Stream]) -> None:
    near, far = pair
    near.send(b"ab")
    far.allow(PATIENCE)
    assert far.receive(1) == b"a"
    far.allow(0)
    with pytest.raises(TimeoutError):
        far.receive(1)
    with pytest.raises(TimeoutError):
        far.send(b"x")
    far.allow(0.01)
    assert far.receive(1) == b"b"
    with pytest.raises(TimeoutError):
        far.receive(1)


@DIALECTS
def test_both_ends_prove_that_they_hold_the_key(
    pair: tuple[Stream, Stream], meanwhile: ThreadPoolExecutor, dialect: Dialect
) -> None:
    near, far = pair
    listening = meanwhile.submit(welcome, far, KEY, dialect)
    introduce(near, KEY, dialect)
    listening.result(PATIENCE)
    near.send_message(b"then anything")
    assert far.receive_message() == b"then anything"


@DIALECTS
def test_a_client_with_another_key(
    pair: tuple[Stream, Stream], meanwhile: ThreadPoolExecutor, dialect: Dialect
) -> None:
    near, far = pair
    listening = meanwhile.submit(welcome, far, KEY, dialect)
    with pytest.raises(ChallengeError, match="another key"):
        introduce(near, OTHER, dialect)
    with pytest.raises(ChallengeError, match="another key"):
        listening.result(PATIENCE)


def test_the_plain_challenge_is_one_sided(
    pair: tuple[Stream, Stream], meanwhile: ThreadPoolExecutor
) -> None:
    near, far = pair
    challenger = Challenger(KEY, nonce=bytes(32), dialect=PLAIN)
    listening = meanwhile.submit(deliver_challenge, far, challenger)
    answer_challenge(near, Responder(KEY, dialect=PLAIN))
    listening.result(PATIENCE)
    near.send(b"x")
    assert far.receive_some(100) == b"x"


def test_a_refused_peer_is_told_so(pair: tuple[Stream, Stream]) -> None:
    near, far = pair
    near.send_message(b"a guess")
    with pytest.raises(ChallengeError):
        deliver_challenge(far, Challenger(KEY, nonce=bytes(40)))
    near.receive_message()
    assert near.receive_message() == FAILURE


@pytest.mark.parametrize("act", [welcome, introduce])
@pytest.mark.parametrize("dialect", [SHA256, PLAIN], ids=lambda d: d.name)
def test_a_peer_that_leaves_or_stays_silent(
    pair: tuple[Stream, Stream], act: Callable[..., None], dialect: Dialect
) -> None:
    near, far = pair
    far.allow(0.01)
    with pytest.raises(ChallengeError, match="too long"):
        act(far, KEY, dialect)
    far.allow(PATIENCE)
    near.close()
    with pytest.raises(ChallengeError, match=r"closed|broke"):
        act(far, KEY, dialect)


@pytest.mark.parametrize("act", [welcome, introduce])
def test_a_peer_that_says_too_much(pair: tuple[Stream, Stream], act: Callable[..., None]) -> None:
    near, far = pair
    near.send_message(bytes(257))
    with pytest.raises(ChallengeError, match="257 bytes"):
        act(far, KEY)
