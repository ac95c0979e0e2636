"""Any list of frames gives a message or a RemoteProtocolError, never another exception."""

from __future__ import annotations

import hmac
import json

from hypothesis import example, given
from hypothesis import strategies as st

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.errors import ContentError, RemoteProtocolError
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.protocol.kernel import error_reply
from minikernel.wire.channels import Channel, Role
from minikernel.wire.content import REQUESTS
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import HeaderFactory, Message

KEY = b"k" * 32
MEMORY = ReplayMemory()
SCHEME = create("hmac-sha256", SecretKey(KEY), MEMORY)

# Lone surrogates too, and not only now and then.
texts = st.text(st.characters(exclude_categories=()) | st.characters(categories=("Cs",)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
TYPES = ["execute_request", "input_reply", "comm_msg", "me", "\ud800_request", '"_request']
json_frames = json_values.map(lambda v: json.dumps(v).encode())
FIELDS = ("msg_id", "msg_type", "session", "username", "date", "version")
header_values = json_values | st.sampled_from(TYPES) | texts.map("{}_request".format)
headers = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, header_values)),
    st.dictionaries(texts | st.sampled_from(FIELDS), header_values, max_size=8),
).map(lambda v: json.dumps(v).encode())
requests = st.fixed_dictionaries(
    {"msg_id": texts, "msg_type": st.sampled_from(sorted(REQUESTS)), "session": texts},
    optional={"": texts},
)
contents = st.dictionaries(
    texts | st.sampled_from(["code", "silent", "restart", "value", "replaces", "n"]),
    json_values,
    max_size=4,
).map(lambda v: json.dumps(v).encode())
GOOD = {"msg_id": "1", "msg_type": "execute_request", "session": "s"}
any_frame = st.binary(max_size=80) | json_frames | headers | st.just(b"{}")


def end(channel: Channel, role: Role) -> ChannelEnd:
    factory = HeaderFactory("kernel", "1", "user", lambda: b'""')
    guards = Guards(own_session="kernel", max_age=5)
    return ChannelEnd(
        channel, role, SCHEME, factory, guards=guards, contents=REQUESTS, now=lambda: 0.0
    )


def give(channel: Channel, role: Role, frames: list[bytes]) -> None:
    receiver = end(channel, role)
    try:
        message = receiver.receive(frames)
    except RemoteProtocolError as problem:
        no_bug(problem)
        expected = (0, {problem.reason: 1})
        if isinstance(problem, ContentError):
            answer(receiver, problem)
    else:
        assert isinstance(message, Message)
        expected = (1, {})
    assert (receiver.tally.verified, receiver.tally.rejected) == expected


def answer(sender: ChannelEnd, problem: ContentError) -> None:
    """An error reply is strict JSON, whatever the request's header was."""
    reply = error_reply(problem)
    if reply is None:
        return
    frames = sender.compose(reply.msg_type, reply.content, parent=reply.parent)
    header, parent, _, content = (json.loads(f.decode(), parse_constant=refuse) for f in frames)
    request_type = str(problem.msg_type).encode("utf-8", "replace").decode()
    assert header["msg_type"] == request_type.removesuffix("_request") + "_reply"
    assert parent["msg_type"] == request_type
    assert content["status"] == "error"


def refuse(name: str) -> None:
    raise AssertionError(name)


channels = st.sampled_from([Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB])
roles = st.sampled_from(list(Role))


@given(channels, roles, st.lists(any_frame | st.just(DELIMITER), max_size=12))
def test_unsigned_frames(channel: Channel, role: Role, frames: list[bytes]) -> None:
    give(channel, role, frames)


@given(channels, roles, headers | any_frame, st.lists(any_frame, min_size=3, max_size=6))
@example(Channel.SHELL, Role.KERNEL, json.dumps({**GOOD, "\ud800": 1}).encode(), [b"{}"] * 3).via(
    "a surrogate in a name"
)
def test_signed_frames(channel: Channel, role: Role, header: bytes, rest: list[bytes]) -> None:
    frames = [header, *rest]
    signature = hmac.new(KEY, b"".join(frames[:4]), "sha256").hexdigest().encode()
    give(channel, role, [b"id", DELIMITER, signature, *frames])


objects = st.just(b"{}") | json_frames


@given(channels, roles, requests, objects, objects, contents)
@example(Channel.SHELL, Role.KERNEL, GOOD, b"{}", b"{}", b'{"code": "1", "\\ud800": 1}').via(
    "a surrogate in a name"
)
def test_signed_requests(  # noqa: PLR0917 - hypothesis'
    channel: Channel,
    role: Role,
    header: dict[str, str],
    parent: bytes,
    metadata: bytes,
    content: bytes,
) -> None:
    frames = [json.dumps(header).encode(), parent, metadata, content]
    signature = hmac.new(KEY, b"".join(frames), "sha256").hexdigest().encode()
    give(channel, role, [b"id", DELIMITER, signature, *frames])


def no_bug(problem: RemoteProtocolError) -> None:
    assert problem.reason not in {"internal error", "no memory"}
