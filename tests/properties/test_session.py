"""jupyter_client's Session and ours verify and decode what the other signed."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import HeaderFactory, dumps, loads_dict
from minikernel.wire.peer import Address

KEY = b"a key of jupyter_client's and ours"
SESSIONS = {
    packer: Session(key=KEY, packer=packer, unpacker=packer, check_pid=False)
    for packer in ("json", "orjson")
}


def our_end(role: Role) -> ChannelEnd:
    return ChannelEnd(
        Channel.SHELL,
        role,
        create("hmac-sha256", SecretKey(KEY)),
        HeaderFactory("ours", "1", "üser", lambda: b'"2026-01-02T03:04:05.678901Z"'),
        guards=Guards(own_session="ours"),
    )


def sealed(content: dict[str, Any], **options: Any) -> list[bytes]:
    end = our_end(Role.KERNEL)
    frames = end.seal(end.compose(b"comm_msg", content, **options), Address((b"topic",)))
    assert frames is not None
    return frames


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
dicts = st.dictionaries(st.text(), values, max_size=4)
packers = st.sampled_from(sorted(SESSIONS))


@given(packers, dicts, dicts, st.lists(st.binary(max_size=20), max_size=3), st.booleans())
def test_what_session_signs(
    packer: str,
    content: dict[str, Any],
    metadata: dict[str, Any],
    buffers: list[bytes],
    child: bool,
) -> None:
    session = SESSIONS[packer]
    metadata.pop("minikernel", None)
    parent = session.msg_header("execute_request") if child else {}
    message = session.msg("comm_msg", content, parent=parent, metadata=metadata)
    received = our_end(Role.KERNEL).receive([*session.serialize(message, ident=b"me"), *buffers])
    assert received.peer.route == (b"me",)
    assert received.content == content
    assert received.metadata == metadata
    assert received.buffers == buffers
    assert received.header.msg_id == message["header"]["msg_id"]
    assert received.parent_header.get("msg_id") == parent.get("msg_id")


@given(packers, dicts, dicts, st.lists(st.binary(max_size=20), max_size=3), st.booleans())
def test_what_we_sign(
    packer: str,
    content: dict[str, Any],
    metadata: dict[str, Any],
    buffers: list[bytes],
    child: bool,
) -> None:
    session = SESSIONS[packer]
    metadata.pop("minikernel", None)
    parent = dumps({"msg_id": "p", "date": "2026-01-02T03:04:05Z"}) if child else b"{}"
    frames = sealed(content, parent=parent, metadata=metadata, buffers=buffers)
    identities, rest = session.feed_identities(frames)
    session.digest_history.clear()  # a test may send the same twice
    received = session.deserialize(rest)
    assert identities == [b"topic"]
    assert received["content"] == content
    assert {k: v for k, v in received["metadata"].items() if k != "minikernel"} == metadata
    assert [bytes(b) for b in received["buffers"]] == buffers
    assert received["header"]["username"] == "üser"
    assert isinstance(received["header"]["date"], dt.datetime)
    assert received["parent_header"].get("msg_id") == ("p" if child else None)


def sign_by_session(session: Session, *frames: bytes) -> list[bytes]:
    return [DELIMITER, session.sign(list(frames)), *frames]


HEADER = b'{"msg_id":"1","msg_type":"comm_msg","session":"s"}'


@pytest.mark.parametrize("parent", [b"{}", b"null"])
@pytest.mark.parametrize("metadata", [b"{}", b"null"])
def test_empty_and_null_parents(parent: bytes, metadata: bytes) -> None:
    frames = sign_by_session(SESSIONS["json"], HEADER, parent, metadata, b"{}")
    received = our_end(Role.KERNEL).receive(frames)
    assert (received.parent_header, received.metadata) == ({}, {})


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        (b'{"x":NaN}', "nan"),
        (b'{"x":-Infinity}', "-inf"),
        (b'{"x":123456789012345678901234567890}', "123456789012345678901234567890"),
        (b'{"x":"\\ud800"}', "'\\ud800'"),
        (b'{"x":"\xff"}', "'\N{REPLACEMENT CHARACTER}'"),
        (b'{"x":"\xed\xa0\x80"}', "'" + 3 * "\N{REPLACEMENT CHARACTER}" + "'"),
        (b'{"x":1e999}', "inf"),
    ],
)
def test_what_msgspec_refuses_the_standard_library_decodes(content: bytes, meant: str) -> None:
    frames = sign_by_session(SESSIONS["json"], HEADER, b"{}", b"{}", content)
    received = our_end(Role.KERNEL).receive(frames)
    assert repr(received.content["x"]) == meant


def test_a_header_that_is_no_strict_json_is_echoed_as_strict_json() -> None:
    header = HEADER[:-1] + b',"extra":NaN,"name":"\xff"}'
    frames = sign_by_session(SESSIONS["json"], header, b"{}", b"{}", b"{}")
    echo = our_end(Role.KERNEL).receive(frames).header_frame
    assert loads_dict(echo)["extra"] is None
    assert loads_dict(echo)["name"] == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("packer", sorted(SESSIONS))
def test_a_datetime_and_a_big_integer_of_session(packer: str) -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)
    message = SESSIONS[packer].msg("comm_msg", {"when": moment, "big": 2**80})
    received = our_end(Role.KERNEL).receive(SESSIONS[packer].serialize(message))
    assert received.content["when"].startswith("2026-01-02T03:04:05.678901")
    assert received.content["big"] == 2**80


@pytest.mark.parametrize("packer", sorted(SESSIONS))
def test_a_nan_and_a_surrogate_of_session(packer: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jupyter_client says that it had to clean the NaN
        frames = SESSIONS[packer].serialize(SESSIONS[packer].msg("comm_msg", {"x": float("nan")}))
    assert our_end(Role.KERNEL).receive(frames).content["x"] in (None, "nan")
    message = SESSIONS[packer].msg("comm_msg", {"x": "a\udcffb"})
    assert our_end(Role.KERNEL).receive(SESSIONS[packer].serialize(message)).content["x"] == (
        "a\N{REPLACEMENT CHARACTER}b"
    )


@pytest.mark.parametrize("packer", sorted(SESSIONS))
def test_a_nan_a_surrogate_and_a_big_integer_of_ours(packer: str) -> None:
    content = {"nan": float("nan"), "text": "a\ud800b", "big": 2**80, "k\udfffey": [float("inf")]}
    _, rest = SESSIONS[packer].feed_identities(sealed(content))
    SESSIONS[packer].digest_history.clear()  # a test may run twice
    received = SESSIONS[packer].deserialize(rest)["content"]
    assert received["nan"] is None
    assert received["text"] == "a?b"
    assert received["big"] == pytest.approx(2**80)  # orjson makes a float of it
    assert received["k?ey"] == [None]
