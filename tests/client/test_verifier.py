from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.client.verifier import Author, TraceEvent, Verifier
from minikernel.errors import LocalProtocolError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = b"a secret"
TRAITS = find("hmac-sha256").traits
KERNEL = Session(key=KEY, session="kernel")
CLIENT = Session(key=KEY, session="client")


@pytest.fixture
def session() -> Session:
    return Session(key=KEY, session="client")


@pytest.fixture
def verifier(session: Session) -> Verifier:
    return Verifier(create("hmac-sha256", SecretKey(KEY), ReplayMemory()), session, TRAITS)


def said(
    msg_type: str,
    parent: Any = None,
    *,
    content: Any = None,
    buffers: Sequence[bytes] = (),
    **header: Any,
) -> list[bytes]:
    """The frames of a message of a stock kernel."""
    msg = KERNEL.msg(msg_type, content or {}, parent=parent)
    msg["header"].update(header)
    return [*KERNEL.serialize(msg), *buffers]


def reasons(verifier: Verifier, channel: Channel) -> dict[str, int]:
    return dict(verifier.connection.tallies[channel].rejected)


def test_messages_look_as_jupyter_client_makes_them(verifier: Verifier) -> None:
    parent = KERNEL.msg("execute_request")
    parent["header"]["subshell_id"] = "s"
    frames = said("stream", parent, content={"text": "x"}, buffers=[b"\x00\xff"], extra="kept")
    ours = verifier.open(Channel.IOPUB, frames)
    theirs = Session(key=KEY).deserialize(frames[1:])
    assert ours == theirs
    assert ours is not None
    assert isinstance(ours["header"]["date"], datetime)
    assert isinstance(ours["buffers"][0], memoryview)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-01-02T03:04:05.000006Z", datetime(2026, 1, 2, 3, 4, 5, 6, timezone.utc)),
        (
            "2026-01-02T03:04:05+02:00",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5).astimezone()),
        ("yesterday", "yesterday"),
        ("0001-01-01T00:00:00", None),
        (None, None),
    ],
)
def test_dates(verifier: Verifier, date: str | None, expected: Any) -> None:
    msg = verifier.open(Channel.IOPUB, said("stream", date=date))
    assert msg is not None
    if expected is not None:
        assert msg["header"]["date"] == expected


def test_a_stock_kernel_takes_what_we_seal(verifier: Verifier, session: Session) -> None:
    msg = session.msg("comm_msg", {"data": "\ud800"}, parent=session.msg("x"))
    frames = verifier.seal(Channel.SHELL, {**msg, "buffers": [b"\x01", memoryview(b"\x02")]})
    got = Session(key=KEY).deserialize(frames[1:])
    assert got["header"] == msg["header"]
    assert got["parent_header"] == msg["parent_header"]
    assert [bytes(b) for b in got["buffers"]] == [b"\x01", b"\x02"]
    assert "buffers_sha256" in got["metadata"]["minikernel"]


def test_a_buffer_with_gaps_is_refused(verifier: Verifier, session: Session) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        verifier.seal(Channel.SHELL, {**session.msg("x"), "buffers": [memoryview(b"abcd")[::2]]})


def test_a_reply_is_taken_once_and_only_if_it_was_asked_for(
    verifier: Verifier, session: Session
) -> None:
    request = session.msg("execute_request")
    assert verifier.open(Channel.SHELL, said("execute_reply", request)) is None
    verifier.seal(Channel.SHELL, request)
    assert verifier.open(Channel.CONTROL, said("execute_reply", request)) is None
    assert verifier.open(Channel.SHELL, said("execute_reply", request)) is not None
    assert verifier.open(Channel.SHELL, said("execute_reply", request)) is None
    assert reasons(verifier, Channel.SHELL) == {"not asked": 2}
    assert reasons(verifier, Channel.CONTROL) == {"not asked": 1}
    assert verifier.connection.tallies[Channel.SHELL].verified == 1


def test_a_reply_to_another_session_with_our_msg_id_is_refused(
    verifier: Verifier, session: Session
) -> None:
    request = session.msg("execute_request")
    verifier.seal(Channel.SHELL, request)
    request["header"]["session"] = "another"
    assert verifier.open(Channel.SHELL, said("execute_reply", request)) is None


@pytest.mark.parametrize("msg_id", [None, [], {}, 5, ""])
def test_a_parent_that_is_none_is_no_request_of_ours(verifier: Verifier, msg_id: Any) -> None:
    parent = {"header": {"msg_id": msg_id, "session": "client", "msg_type": "x"}}
    for channel in (Channel.SHELL, Channel.CONTROL):
        assert verifier.open(channel, said("execute_reply", parent)) is None
    assert verifier.open(Channel.STDIN, said("input_request", parent)) is None


def test_questions_are_taken_while_their_request_runs(verifier: Verifier, session: Session) -> None:
    request = session.msg("execute_request")
    verifier.seal(Channel.SHELL, request)
    assert verifier.open(Channel.STDIN, said("input_request", request)) is not None
    assert verifier.open(Channel.STDIN, said("input_request", request)) is not None
    verifier.open(Channel.SHELL, said("execute_reply", request))
    assert verifier.open(Channel.STDIN, said("input_request", request)) is None


def test_a_reflected_request_is_refused(verifier: Verifier, session: Session) -> None:
    frames = verifier.seal(Channel.SHELL, session.msg("execute_request"))
    assert verifier.open(Channel.SHELL, frames) is None
    assert reasons(verifier, Channel.SHELL) == {"reflected": 1}


def test_a_replay_is_refused_on_every_channel(verifier: Verifier) -> None:
    frames = said("stream")
    assert verifier.open(Channel.IOPUB, frames) is not None
    assert verifier.open(Channel.IOPUB, frames) is None
    assert verifier.open(Channel.SHELL, frames) is None
    assert reasons(verifier, Channel.IOPUB) == reasons(verifier, Channel.SHELL) == {"replayed": 1}


def test_a_type_that_belongs_elsewhere_is_refused(verifier: Verifier, session: Session) -> None:
    verifier.seal(Channel.SHELL, session.msg("x"))
    for channel in (Channel.SHELL, Channel.CONTROL, Channel.STDIN):
        assert verifier.open(channel, said("stream")) is None
        assert reasons(verifier, channel) == {"refused": 1}


def test_the_trace_tells_of_every_message(verifier: Verifier, session: Session) -> None:
    events: list[TraceEvent] = []
    verifier.trace = events.append
    request = session.msg("execute_request")
    sent = verifier.seal(Channel.SHELL, request)
    reply = said("execute_reply", request)
    verifier.open(Channel.SHELL, reply)
    verifier.open(Channel.SHELL, [b"<IDS|MSG>", b"0" * 64, *reply[2:]])
    verifier.open(Channel.SHELL, said("execute_reply", request))
    assert [(e.direction, e.msg_type, e.verdict) for e in events] == [
        ("sent", "execute_request", "ok"),
        ("received", "execute_reply", "ok"),
        ("received", "", "bad signature"),
        ("received", "execute_reply", "not asked"),
    ]
    assert events[0].size == sum(map(len, sent))
    assert events[0].channel == "shell"


def test_a_forked_child_sends_nothing(verifier: Verifier, session: Session) -> None:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            verifier.seal(Channel.SHELL, session.msg("execute_request"))
        except LocalProtocolError:
            os.write(write, b"refused")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"refused"
    os.close(read)
    os.close(write)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.sampled_from([Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB]),
    st.dictionaries(st.sampled_from(["msg_id", "session", "date", "msg_type"]), JSON),
    JSON,
    JSON,
)
def test_any_signed_frames_give_a_message_or_none(
    channel: Channel, header: Any, parent: Any, content: Any
) -> None:
    verifier = Verifier(create("hmac-sha256", SecretKey(KEY)), CLIENT, TRAITS)
    header = {"msg_id": "1", "msg_type": "stream", **header}
    frames = [json.dumps(part).encode() for part in (header, parent, {}, content)]
    msg = verifier.open(channel, [b"<IDS|MSG>", KERNEL.sign(frames), *frames])
    tally = verifier.connection.tallies[channel]
    assert (tally.verified, tally.rejected.total()) == ((1, 0) if msg is not None else (0, 1))


def test_who_holds_the_one_key_can_claim_any_name_and_none_of_them_counts_as_verified(
    verifier: Verifier,
) -> None:
    request = Session(key=KEY, username="the owner").msg("execute_request")
    msg = KERNEL.msg("execute_input", {"code": "1"}, parent=request)
    msg["metadata"] = {"minikernel": {"client": ""}}
    opened = verifier.open(Channel.IOPUB, KERNEL.serialize(msg))
    assert opened is not None
    assert verifier.author(opened) == Author("the owner", verified=False)
    assert verifier.scheme.permits("shutdown_request")


def test_what_it_waits_for(verifier: Verifier, session: Session) -> None:
    """A comm message has no reply: only that to a later request shows that it has come."""
    assert not verifier.connection.awaits
    first, later = session.msg("kernel_info_request"), session.msg("kernel_info_request")
    verifier.seal(Channel.SHELL, first)
    assert verifier.connection.awaits
    verifier.seal(Channel.SHELL, session.msg("comm_msg", {"comm_id": "1"}))
    verifier.open(Channel.SHELL, said("kernel_info_reply", first))
    assert verifier.connection.awaits
    verifier.seal(Channel.SHELL, later)
    verifier.open(Channel.SHELL, said("kernel_info_reply", later))
    assert not verifier.connection.awaits
    verifier.seal(Channel.CONTROL, session.msg("bind_request"))
    assert not verifier.connection.awaits
    assert verifier.connection.is_binding(Channel.CONTROL)
    assert not verifier.connection.is_binding(Channel.SHELL)


def test_a_question_under_the_name_before_is_still_ours(
    verifier: Verifier, session: Session
) -> None:
    """A client takes another name for its messages when it shakes hands again."""
    request = session.msg("execute_request")
    verifier.seal(Channel.SHELL, request)
    session.session = "another"
    assert verifier.open(Channel.STDIN, said("input_request", request)) is not None
    assert verifier.open(Channel.SHELL, said("execute_reply", request)) is not None


def test_a_trace_event_prints_as_one_line() -> None:
    line = "shell    received  execute_reply          1234  ok"
    event = TraceEvent("shell", "received", "execute_reply", 1234, "ok", [b"x" * 500])
    assert (str(event), repr([event])) == (line, f"[{line}]")
    hostile = TraceEvent("shell", "received", "\x1b[2J\n" * 20, 1, "\x1b\n", [b"\x1b\n"])
    assert str(hostile).isprintable()
