"""Section 5, step 2, and the layout of sections 1, 3 and 4."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac.frames import (
    Type,
    data_tag,
    header,
    parse_challenge,
    parse_hello,
    parse_publication,
    parse_tagged,
    publication,
    published_digest,
    published_tag,
    unsigned_challenge,
    unsigned_hello,
)
from minikernel.errors import FramingError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    Parse = Callable[[bytes], object]

TAG = bytes(range(32))
SESSION = b"SESSION1"
HELLO = unsigned_hello(b"n" * 32, 3, "alice") + TAG
CHALLENGE = unsigned_challenge(SESSION, b"r" * 16, b"k" * 32, 41) + TAG
DATA = header(Type.DATA, Channel.SHELL, SESSION, 7) + TAG
PING = header(Type.PING, Channel.HEARTBEAT, SESSION, 7) + TAG
PUBLISH = publication(
    header(Type.PUBLISH, Channel.IOPUB, b"r" * 8, 7),
    [(b"SESSION0", b"0" * 16), (SESSION, b"1" * 16), (SESSION, b"2" * 16)],
)


def parse_data(auth: bytes) -> object:
    return parse_tagged(auth, Type.DATA, Channel.SHELL)


def parse_ping(auth: bytes) -> object:
    return parse_tagged(auth, Type.PING, Channel.HEARTBEAT)


PARSERS: dict[str, tuple[bytes, Parse]] = {
    "HELLO": (HELLO, parse_hello),
    "CHALLENGE": (CHALLENGE, parse_challenge),
    "DATA": (DATA, parse_data),
    "PING": (PING, parse_ping),
    "PUBLISH": (PUBLISH, parse_publication),
}
kinds = pytest.mark.parametrize("kind", PARSERS)


def test_the_header_has_24_bytes() -> None:
    fields = [b"MKC1", b"\x10", b"\3", bytes(2), SESSION, bytes(6) + b"\1\2"]
    assert header(Type.DATA, Channel.STDIN, SESSION, 258) == b"".join(fields)


def test_what_was_built_is_parsed() -> None:
    hello = parse_hello(HELLO)
    assert hello == (b"n" * 32, 3, "alice", HELLO[:-32], TAG)
    challenge = parse_challenge(CHALLENGE)
    assert challenge == (SESSION, b"r" * 16, 41, CHALLENGE[:-32], TAG)
    assert parse_data(DATA) == (SESSION, 7, DATA[:24], TAG)
    assert parse_ping(PING) == (SESSION, 7, PING[:24], TAG)
    assert parse_publication(PUBLISH)[:3] == (b"r" * 8, 7, PUBLISH[:24])


@kinds
def test_the_length_is_exact(kind: str) -> None:
    auth, parse = PARSERS[kind]
    for length in range(len(auth)):
        with pytest.raises(FramingError):
            parse(auth[:length])
    for more in (b"\0", bytes(24)):
        with pytest.raises(FramingError):
            parse(auth + more)


@kinds
@pytest.mark.parametrize("at", range(8))
def test_magic_type_channel_and_zero_are_exact(kind: str, at: int) -> None:
    auth, parse = PARSERS[kind]
    for flip in (1, 2, 128):
        changed = bytearray(auth)
        changed[at] ^= flip
        with pytest.raises(FramingError):
            parse(bytes(changed))


@pytest.mark.parametrize("at", range(8, 24))
def test_a_hello_has_no_session_and_no_counter(at: int) -> None:
    with pytest.raises(FramingError):
        parse_hello(HELLO[:at] + b"\1" + HELLO[at + 1 :])


@pytest.mark.parametrize("at", range(16, 24))
def test_a_challenge_has_no_counter(at: int) -> None:
    with pytest.raises(FramingError):
        parse_challenge(CHALLENGE[:at] + b"\1" + CHALLENGE[at + 1 :])


@pytest.mark.parametrize("length", [0, 4, 6, 65535])
def test_a_hello_is_as_long_as_it_says(length: int) -> None:
    with pytest.raises(FramingError):
        parse_hello(HELLO[:60] + length.to_bytes(2, "big") + HELLO[62:])


def test_a_client_id_is_in_ascii() -> None:
    with pytest.raises(FramingError):
        parse_hello(HELLO.replace(b"alice", b"al\xefce"))


def test_a_publish_has_at_most_1024_tags() -> None:
    head = PUBLISH[:24]
    assert parse_publication(publication(head, [(SESSION, bytes(16))] * 1024))
    with pytest.raises(FramingError):
        parse_publication(publication(head, [(SESSION, bytes(16))] * 1025))


def test_the_first_entry_with_the_own_session_counts() -> None:
    received = parse_publication(PUBLISH)
    assert received.tag_for(SESSION) == b"1" * 16
    assert received.tag_for(b"SESSION0") == b"0" * 16
    assert received.tag_for(b"SESSION2") is None


def test_an_id_in_another_place_than_an_entry_s_begin_is_none() -> None:
    entries = [(b"A" * 8, SESSION + b"B" * 8)]
    assert parse_publication(publication(PUBLISH[:24], entries)).tag_for(SESSION) is None


def test_what_a_tag_covers() -> None:
    head = DATA[:24]
    signed = head + struct.pack(">QQQ", 2, 1, 3) + b"a" + b"bcd"
    assert data_tag(b"key", head, [b"a", b"bcd"]) == hmac.digest(b"key", signed, "sha256")
    digest = hashlib.sha256(b"publish\0" + signed).digest()
    assert published_digest(head, b"a", [b"bcd"]) == digest
    assert published_tag(b"key", digest) == hmac.digest(b"key", digest, "sha256")[:16]


def test_no_two_ways_to_cut_the_frames_have_the_same_tag() -> None:
    cuts = [[b"ab"], [b"a", b"b"], [b"", b"ab"], [b"ab", b""], []]
    assert len({data_tag(b"key", DATA[:24], frames) for frames in cuts}) == len(cuts)


def test_a_memoryview_is_as_long_as_its_bytes() -> None:
    view = memoryview(struct.pack("3d", 1, 2, 3)).cast("d")
    assert data_tag(b"k", b"", [view]) == data_tag(b"k", b"", [bytes(view)])  # type: ignore[list-item]


def test_a_publish_counter_of_64_bits() -> None:
    unsigned = unsigned_challenge(b"s" * 8, b"r" * 16, b"n" * 32, 2**64 - 1)
    assert parse_challenge(unsigned + bytes(32)).published == 2**64 - 1
