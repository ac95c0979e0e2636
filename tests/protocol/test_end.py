"""The guards of channel-hmac section 8: each attack fails, and no stock client is disturbed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.scheme import KeyScheme
from minikernel.errors import (
    BadSignature,
    ContentError,
    ForPredecessor,
    FramingError,
    PermissionDenied,
    Reflected,
    RemoteProtocolError,
    Replayed,
    Stale,
)
from minikernel.protocol.end import BARE, ChannelEnd, Guards
from minikernel.wire.channels import Channel, Role
from minikernel.wire.content import REQUESTS, ExecuteRequest
from minikernel.wire.frames import DELIMITER, LIMITS, Limits
from minikernel.wire.message import HeaderFactory
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.auth.scheme import Sealed
    from minikernel.wire.peer import Peer

KEY = b"k" * 32
NOW = datetime(2026, 9, 21, 13, 33, 20, tzinfo=timezone.utc).timestamp()
HEADER = {"msg_id": "1", "msg_type": "execute_request", "session": "stock"}


def end(
    channel: Channel = Channel.SHELL,
    role: Role = Role.KERNEL,
    *,
    guards: Guards | None = None,
    session: str = "kernel",
) -> ChannelEnd:
    memory = ReplayMemory() if guards is not BARE else None
    return ChannelEnd(
        channel,
        role,
        create("hmac-sha256", SecretKey(KEY), memory),
        HeaderFactory(session, "run", "user", lambda: b'"2026-09-21T13:33:20Z"'),
        guards=guards or Guards(own_session=session),
        contents=REQUESTS if role is Role.KERNEL else None,
        now=lambda: NOW,
    )


def sealed(end: ChannelEnd, msg_type: bytes, content: Any, **options: Any) -> list[bytes]:
    to = Address(tuple(options.pop("to", ())))
    frames = end.seal(end.compose(msg_type, content, **options), to)
    assert frames is not None
    return frames


def sign(*frames: bytes, identities: tuple[bytes, ...] = (b"id",)) -> list[bytes]:
    signature = hmac.new(KEY, b"".join(frames[:4]), "sha256").hexdigest().encode()
    return [*identities, DELIMITER, signature, *frames]


def stock(content: object = None, metadata: object = None, **header: Any) -> list[bytes]:
    content = {"code": "1"} if content is None else content
    dicts = ({**HEADER, **header}, {}, metadata or {}, content)
    return sign(*(json.dumps(d).encode() for d in dicts))


def refused(receiver: ChannelEnd, frames: list[bytes], kind: type[RemoteProtocolError]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        receiver.receive(frames)
    assert type(caught.value) is kind
    assert receiver.tally.rejected[kind.reason] == 1


def test_a_stock_request_is_decoded() -> None:
    message = end().receive(stock({"code": "x", "a_new_field": 1}))
    assert message.content == ExecuteRequest(code="x")
    assert message.peer.route == (b"id",)
    assert message.header.session == "stock"


def test_replay() -> None:
    receiver, frames = end(), stock()
    receiver.receive(list(frames))
    refused(receiver, frames, Replayed)


def test_a_client_that_reconnects_with_the_same_identity_goes_on() -> None:
    receiver = end()
    for n in range(3):
        receiver.receive(stock(msg_id=str(n)))
    assert receiver.tally.verified == 3


def test_reflect() -> None:
    kernel = end()
    own = sealed(kernel, b"comm_msg", {"comm_id": "1", "data": {}}, to=[b"x"])
    refused(kernel, own, Reflected)


def test_reflect_does_not_fill_the_replay_memory() -> None:
    kernel = end()
    own = sealed(kernel, b"comm_msg", {"comm_id": "1", "data": {}}, to=[b"x"])
    refused(kernel, own, Reflected)
    with pytest.raises(Reflected):  # and not Replayed
        kernel.receive(own)


def test_reflect_in_other_words() -> None:
    header = rb'{"msg_id":"1","msg_type":"comm_msg","session":"\u006bernel"}'
    refused(end(), sign(header, b"{}", b"{}", b"{}"), Reflected)


def test_reflect_a_message_of_an_earlier_run() -> None:
    earlier = sealed(end(), b"comm_msg", {"comm_id": "1", "data": {}}, to=[b"x"])
    refused(end(), earlier, Reflected)


@pytest.mark.parametrize(
    ("channel", "msg_type"),
    [
        (Channel.CONTROL, "execute_request"),
        (Channel.SHELL, "interrupt_request"),
        (Channel.STDIN, "execute_request"),
        (Channel.SHELL, "input_reply"),
    ],
)
def test_cross_channel(channel: Channel, msg_type: str) -> None:
    content = {"code": "1", "value": ""}
    refused(end(channel), stock(content, msg_type=msg_type), ContentError)


def test_signed_buffers() -> None:
    client = end(role=Role.CLIENT, session="client")
    for change in (lambda b: [*b, b"more"], lambda b: b[:-1], lambda b: [b[1], b[0]]):
        frames = sealed(client, b"comm_msg", {"comm_id": "1"}, buffers=[b"one", b"two"])
        at = len(frames) - 2
        refused(end(), [*frames[:at], *change(frames[at:])], BadSignature)
    frames = sealed(client, b"comm_msg", {"comm_id": "1"}, metadata={"mine": 1}, buffers=[b"one"])
    message = end().receive(frames)
    assert (message.buffers, message.metadata["mine"]) == ([b"one"], 1)
    assert message.frames == frames[-5:]  # as they came


def test_signed_absence_of_buffers() -> None:
    frames = sealed(end(role=Role.CLIENT, session="client"), b"comm_msg", {"comm_id": "1"})
    refused(end(), [*frames, b"a buffer"], BadSignature)


def test_buffers_of_a_stock_client_pass() -> None:
    frames = stock({"comm_id": "1"}, msg_type="comm_msg")
    assert end().receive([*frames, b"buffer"]).buffers == [b"buffer"]


def test_max_age() -> None:
    strict = Guards(own_session="kernel", max_age=60)
    end(guards=strict).receive(stock(date="2026-09-21T13:33:00Z"))
    end(guards=strict).receive(stock(date="2026-09-21T15:33:00+02:00"))
    for date in ("2026-09-21T13:32:00Z", "2026-09-22T13:33:00Z", "yesterday", "", None):
        refused(end(guards=strict), stock(date=date), Stale)


def test_without_max_age_any_clock_and_any_delay_pass() -> None:
    for n, date in enumerate(("1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "soon", None)):
        end().receive(stock(date=date, msg_id=str(n)))


def test_bare_is_the_specification_and_no_more() -> None:
    bare, frames = end(Channel.CONTROL, guards=BARE), stock(session="kernel")
    for _ in range(2):
        bare.receive(list(frames))
    plain = sealed(bare, b"status", b"{}")
    assert plain[4] == b"{}"


def test_a_malformed_request_names_its_header() -> None:
    with pytest.raises(ContentError) as caught:
        end().receive(stock({"code": 1}))
    assert json.loads(caught.value.header)["msg_id"] == "1"
    with pytest.raises(ContentError) as caught:
        end().receive(stock(msg_id=5))
    assert caught.value.msg_type == "execute_request"


def test_nothing_is_decoded_before_the_signature_has_verified() -> None:
    refused(end(), [DELIMITER, b"0" * 64, b"{", b"", b"", b""], BadSignature)
    refused(end(), [b"no delimiter"], FramingError)


def test_refuse_moves_a_message_from_verified_to_rejected() -> None:
    receiver = end()
    for n in (1, 2):
        receiver.receive(stock(msg_id=str(n)))
        receiver.refuse("not asked")
        assert (receiver.tally.verified, receiver.tally.rejected) == (0, {"not asked": n})


# What an end asks of its scheme


class House(KeyScheme):
    """A scheme that shakes hands, has a type of its own, and notes what it was asked."""

    name = "house"
    own_types = frozenset({"knock"})

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.way = True

    def sign(self, frames: Sequence[bytes]) -> bytes:
        return b"signed" if frames else b""

    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:
        if signature != self.sign(frames):
            raise BadSignature("not signed")

    def seal(self, channel: Channel, frames: Sequence[bytes], to: Peer) -> Sealed | None:
        assert channel is Channel.SHELL
        return super().seal(channel, frames, to) if self.way else None

    def greet(
        self,
        channel: Channel,
        frame: bytes,
        route: tuple[bytes, ...],
        now: float,  # noqa: ARG002 - the seam's
    ) -> bytes | None:
        self.asked.append((channel, frame, route))
        if frame == b"junk":
            raise BadSignature("junk")
        return b"answer" if frame == b"knock" else None

    def claim(self, peer: Peer, msg_type: str, session: str) -> None:
        self.asked.append((peer, msg_type, session))

    def may(self, peer: Peer, msg_type: str) -> bool:  # noqa: ARG002 - the seam's
        return msg_type != "shutdown_request"


def house(limits: Limits = LIMITS) -> tuple[House, ChannelEnd]:
    scheme = House()
    factory = HeaderFactory("kernel", "run", "user", lambda: b'""')
    end = ChannelEnd(
        Channel.SHELL,
        Role.KERNEL,
        scheme,
        factory,
        guards=Guards(own_session="kernel"),
        contents=REQUESTS,
        limits=limits,
    )
    return scheme, end


def said(msg_type: str, content: bytes = b"{}", parent: bytes = b"{}") -> list[bytes]:
    header = json.dumps({**HEADER, "msg_type": msg_type}).encode()
    return [b"way", DELIMITER, b"signed", header, parent, b"{}", content]


def test_greetings_are_answered_on_their_way_back() -> None:
    scheme, end = house()
    assert end.greet([b"a", b"b", DELIMITER, b"knock"]) == [b"a", b"b", DELIMITER, b"answer"]
    assert end.greet([b"a", DELIMITER, b"else"]) is None
    assert scheme.asked == [
        (Channel.SHELL, b"knock", (b"a", b"b")),
        (Channel.SHELL, b"else", (b"a",)),
    ]
    assert (end.tally.verified, end.tally.rejected) == (0, {})


def test_a_greeting_that_a_socket_took_for_a_buffer() -> None:
    scheme, end = house()
    assert end.greet([memoryview(b"a"), DELIMITER, memoryview(b"knock")])  # type: ignore[list-item]
    assert [(type(frame), type(way)) for _, frame, (way,) in scheme.asked] == [(bytes, bytes)]


def test_a_greeting_that_proves_nothing_is_counted() -> None:
    _, end = house()
    for n in (1, 2):
        with pytest.raises(BadSignature):
            end.greet([b"a", DELIMITER, b"junk"])
        assert end.tally.rejected == {"bad signature": n}


def test_only_what_was_sealed_counts_as_sent() -> None:
    scheme, end = house()
    frames = end.compose(b"status", b"{}")
    for n in (1, 2):
        assert end.seal(frames, Address((b"x",))) == [b"x", DELIMITER, b"signed", *frames]
        assert end.tally.sent == n
    scheme.way = False
    assert end.seal(frames, Address((b"x",))) is None
    assert end.tally.sent == 2


def test_a_scheme_s_own_types_are_carried() -> None:
    scheme, end = house()
    message = end.receive(said("knock"))
    assert message.header.msg_type == "knock"
    assert scheme.asked == [(message.peer, "knock", "stock")]
    with pytest.raises(ContentError):
        end.receive(said("ring"))


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        (said("shutdown_request", b"{"), PermissionDenied),  # before its content is looked at
        (said("execute_request", b'{"code":1}'), ContentError),
        (said("execute_request", b'{"code":"1"}', b"["), ContentError),
        (said("interrupt_request"), ContentError),
    ],
)
def test_who_is_refused_for_what_it_says_is_named(
    frames: list[bytes], error: type[ContentError]
) -> None:
    _, end = house()
    with pytest.raises(ContentError) as caught:
        end.receive(frames)
    assert type(caught.value) is error
    assert caught.value.peer == Address((b"way",))
    assert caught.value.msg_type == json.loads(frames[3])["msg_type"]
    assert json.loads(caught.value.header)["msg_id"] == "1"


def test_who_is_not_authentic_is_asked_nothing() -> None:
    scheme, end = house()
    frames = said("execute_request")
    frames[2] = b"forged"
    refused(end, frames, BadSignature)
    assert scheme.asked == []


def test_limits_of_frames() -> None:
    _, end = house(Limits(before=1, after=4))
    end.receive(said("execute_request", b'{"code":""}'))
    for frames in (
        [b"one more", *said("execute_request", b'{"code":""}')],
        [*said("execute_request", b'{"code":""}'), b"one more"],
    ):
        with pytest.raises(FramingError):
            end.receive(frames)
    assert end.tally.rejected == {"framing": 2}


def test_max_age_needs_a_clock_and_takes_the_last_second() -> None:
    strict = Guards(own_session="kernel", max_age=60)
    for date in ("2026-09-21T13:32:20Z", "2026-09-21T13:34:20Z"):
        end(guards=strict).receive(stock(date=date))
    clockless = end(guards=strict)
    clockless._now = None
    refused(clockless, stock(date="2026-09-21T13:33:20Z"), Stale)


SHUTDOWN = {"restart": True}
BEFORE = "2026-09-21T13:33:19.990Z"  # the kernel was started


@pytest.mark.parametrize(
    ("date", "obeyed"),
    [
        (BEFORE, False),
        ("2026-09-21T13:32:20.001Z", False),
        ("2026-09-21T15:33:19.990+02:00", False),
        ("2026-09-21T13:32:19.999Z", True),  # of another clock, perhaps
        ("2026-09-21T13:33:20.000Z", True),
        ("2026-09-21T13:33:20.001Z", True),
        ("2030-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00Z", True),
        ("yesterday", True),
        ("", True),
        (None, True),
    ],
)
@pytest.mark.parametrize("channel", [Channel.SHELL, Channel.CONTROL])
def test_a_shutdown_for_the_kernel_before(channel: Channel, date: str | None, obeyed: bool) -> None:
    kernel = end(channel, guards=Guards(own_session="kernel", started=NOW))
    frames = stock(SHUTDOWN, msg_type="shutdown_request", date=date)
    if obeyed:
        assert kernel.receive(frames).content.restart
    else:
        refused(kernel, frames, ForPredecessor)
        assert kernel.tally.rejected == {"meant for an earlier kernel": 1}


@pytest.mark.parametrize("msg_type", ["execute_request", "kernel_info_request"])
def test_only_a_shutdown_is_meant_for_one_kernel(msg_type: str) -> None:
    kernel = end(guards=Guards(own_session="kernel", started=NOW))
    assert kernel.receive(stock(msg_type=msg_type, date=BEFORE))


def test_a_kernel_that_has_none_before_it_obeys() -> None:
    frames = stock(SHUTDOWN, msg_type="shutdown_request", date=BEFORE)
    assert end().receive(frames).content.restart


def test_what_is_composed() -> None:
    client = end(role=Role.CLIENT, session="client")
    frames = client.compose(b"comm_msg", {"a": 1}, parent=b'{"p":1}', metadata={"m": 2})
    header, parent, metadata, content = frames
    assert json.loads(header)["msg_type"] == "comm_msg"
    assert (parent, content) == (b'{"p":1}', b'{"a":1}')
    assert json.loads(metadata)["m"] == 2
    nothing = client.compose(b"comm_msg", b"{}")
    assert (nothing[1], nothing[3]) == (b"{}", b"{}")
    digest = hashlib.sha256(bytes(8)).hexdigest()
    assert json.loads(nothing[2]) == {"minikernel": {"buffers_sha256": digest}}
    one = client.compose(b"comm_msg", b"{}", buffers=[b"ab"])
    digest = hashlib.sha256((1).to_bytes(8, "big") + (2).to_bytes(8, "big") + b"ab").hexdigest()
    assert json.loads(one[2]) == {"minikernel": {"buffers_sha256": digest}}
    bare = end(guards=BARE, role=Role.CLIENT)
    assert bare.compose(b"comm_msg", b"{}", metadata={"m": 2})[2] == b'{"m":2}'


def test_a_bare_end_does_not_look_at_buffers() -> None:
    frames = sealed(end(role=Role.CLIENT, session="client"), b"comm_msg", {"comm_id": "1"})
    assert end(guards=BARE).receive([*frames, b"a buffer"]).buffers == [b"a buffer"]


@pytest.mark.parametrize("metadata", [{"minikernel": 1}, {"minikernel": {}}, {"minikernel": []}])
def test_a_mark_of_somebody_else_is_none(metadata: Any) -> None:
    frames = stock({"comm_id": "1"}, metadata, msg_type="comm_msg")
    assert end().receive([*frames, b"buffer"]).buffers == [b"buffer"]


def test_the_table_of_a_client() -> None:
    client = end(role=Role.CLIENT, session="client")
    client.receive(stock(msg_type="execute_reply"))
    refused(client, stock(msg_type="execute_request"), ContentError)


def test_an_opaque_end_does_not_look_at_contents() -> None:
    opaque = ChannelEnd(
        Channel.IOPUB,
        Role.CLIENT,
        create("hmac-sha256", SecretKey(KEY), None),
        lambda _: b"{}",
        guards=BARE,
        opaque=True,
    )
    sender = end(Channel.IOPUB, guards=BARE)
    frames = sender.compose(b"stream", b"no JSON")
    sealed = sender.seal(frames, Address(()))
    assert sealed is not None
    message = opaque.receive(sealed)
    assert message.content is None
    assert message.frames == frames
