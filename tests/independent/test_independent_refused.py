"""Each rule of section 5 of channel-hmac broken once, on each channel, by an independent client.

Every case ends by showing that nothing changed: the kernel counts one refusal under its reason and
nothing else, honest messages still work, and a message that failed at steps 1 to 5 has not spent
the counter that it named.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from independent_stage import BOUND, authentic, refused
from independent_wire import (
    CHALLENGE,
    CHANNELS,
    DATA,
    DELIMITER,
    HELLO,
    NOBODY,
    PING,
    PONG,
    PUBLISH,
    TO_CLIENT,
    TO_KERNEL,
    data_tag,
    heartbeat,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent_stage import Stage

    Change = Callable[[list[bytes]], list[bytes]]
    ChangePing = Callable[[Stage, bytes], bytes]

ON_EACH = pytest.mark.parametrize("channel", BOUND)


pytestmark = pytest.mark.usefixtures("quiet")


CONNECTION_FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}


# Step 1, limits, and step 2, AUTH's fields


FRAMING: dict[str, Change] = {
    "no frame": lambda _: [b""],
    "no delimiter": lambda f: f[1:],
    "the delimiter in lower case": lambda f: [f[0].lower(), *f[1:]],
    "nothing after the delimiter": lambda f: f[:1],
    "64 frames and the identity before": lambda f: [b"i"] * 64 + f,
    "1,025 frames after AUTH": lambda f: f + [b""] * (1027 - len(f)),
    "no frames after AUTH": lambda f: f[:2],
    "no AUTH": lambda f: [f[0], *f[2:]],
    "an empty AUTH": lambda f: [f[0], b"", *f[2:]],
    "AUTH of 23 bytes": lambda f: [f[0], f[1][:23], *f[2:]],
    "AUTH of 24 bytes": lambda f: [f[0], f[1][:24], *f[2:]],
    "AUTH of 55 bytes": lambda f: [f[0], f[1][:55], *f[2:]],
    "AUTH of 57 bytes": lambda f: [f[0], f[1] + b"\0", *f[2:]],
    "AUTH in hex": lambda f: [f[0], f[1].hex().encode(), *f[2:]],
    "a stock signature": lambda f: [f[0], os.urandom(32).hex().encode(), *f[2:]],
    "another magic": lambda f: authentic(f, magic=b"MKC2"),
    "magic in lower case": lambda f: authentic(f, magic=b"mkc1"),
    "the first zero byte": lambda f: authentic(f, zero=b"\1\0"),
    "the second zero byte": lambda f: authentic(f, zero=b"\0\1"),
    "type 0": lambda f: authentic(f, kind=b"\0"),
    "type 3": lambda f: authentic(f, kind=b"\3"),
    "type PUBLISH": lambda f: authentic(f, kind=bytes([PUBLISH])),
    "type PING": lambda f: authentic(f, kind=bytes([PING])),
    "type PONG": lambda f: authentic(f, kind=bytes([PONG])),
    "type HELLO": lambda f: authentic(f, kind=bytes([HELLO])),
    "type CHALLENGE": lambda f: authentic(f, kind=bytes([CHALLENGE])),
    "type 255": lambda f: authentic(f, kind=b"\xff"),
    "a PUBLISH with one entry": lambda f: [
        f[0],
        f[1][:4] + bytes([PUBLISH]) + f[1][5:24] + b"\0\1" + bytes(24),
        *f[2:],
    ],
    "a CHALLENGE": lambda f: [f[0], f[1][:4] + bytes([CHALLENGE]) + f[1][5:24] + bytes(88)],
}


@ON_EACH
@pytest.mark.parametrize("change", FRAMING.values(), ids=FRAMING.keys())
def test_framing(stage: Stage, channel: str, change: Change) -> None:
    refused(stage, channel, change(stage.good(channel)), "framing")


@ON_EACH
def test_as_many_frames_as_may_be(stage: Stage, channel: str) -> None:
    msg_id, frames = stage.client.body("bind_request")
    sealed = stage.client.seal(channel, [*frames, *[b""] * (1023 - len(frames))])
    stage.client.raw(channel, sealed)
    assert stage.client.reply(channel, msg_id)["content"]["status"] == "ok"


@pytest.mark.parametrize(
    ("channel", "number"),
    [(c, n) for c in BOUND for n in (0, 1, 2, 3, 4, 5, 6, 255) if n != CHANNELS[c]],
)
def test_the_channel_byte(stage: Stage, channel: str, number: int) -> None:
    frames = authentic(stage.good(channel), channel=bytes([number]))
    refused(stage, channel, frames, "framing")


@ON_EACH
def test_a_message_of_another_channel(stage: Stage, channel: str) -> None:
    other = BOUND[BOUND.index(channel) - 1]
    refused(stage, channel, stage.good(other), "framing")


@pytest.mark.parametrize("channel", ["shell", "stdin"])
def test_a_hello_elsewhere(stage: Stage, channel: str) -> None:
    said = stage.client.make_hello()
    for frames in (
        [DELIMITER, said],
        authentic([DELIMITER, said], channel=bytes([CHANNELS[channel]])),
    ):
        refused(stage, channel, frames, "framing")


# Step 3, the session and its route


@ON_EACH
@pytest.mark.parametrize("session", [NOBODY, b"\xff" * 8, b"strange!"])
def test_a_session_that_nobody_has(stage: Stage, channel: str, session: bytes) -> None:
    refused(stage, channel, authentic(stage.good(channel), session=session), "unknown session")


@pytest.mark.parametrize("channel", ["shell", "stdin", "heartbeat"])
def test_a_session_that_is_not_confirmed(stage: Stage, channel: str) -> None:
    session = stage.client.shake_hands()
    if channel == "heartbeat":
        frames = [b"", heartbeat(session.keys["heartbeat", TO_KERNEL], PING, session.id, 1)]
    else:
        frames = stage.good(channel, session=session, counter=1)
    refused(stage, channel, frames, "unknown session")


@ON_EACH
def test_another_route(stage: Stage, channel: str) -> None:
    refused(stage, channel, stage.good(channel), "route", stage.strange[channel])


@ON_EACH
@pytest.mark.parametrize("more", [1, 63])
def test_a_longer_route(stage: Stage, channel: str, more: int) -> None:
    refused(stage, channel, [b"i"] * more + stage.good(channel), "route")


@ON_EACH
def test_the_route_of_another_client(stage: Stage, channel: str) -> None:
    refused(stage, channel, stage.good(channel), "route", stage.other.sockets[channel])


@ON_EACH
def test_the_session_of_another_client(stage: Stage, channel: str) -> None:
    frames = authentic(stage.good(channel), session=stage.other.session.id)
    refused(stage, channel, frames, "route")


# Step 4, the counter


@ON_EACH
@pytest.mark.parametrize("back", [0, 1, "to 0"])
def test_a_counter_that_does_not_increase(stage: Stage, channel: str, back: int | str) -> None:
    stage.probe(channel)
    if channel == "control":
        back = 1 if back == 0 else back  # counting is a message on control
    last = stage.client.session.sent[channel]
    counter = 0 if back == "to 0" else last - int(back)
    refused(stage, channel, stage.good(channel, counter=counter), "replayed counter")


@ON_EACH
def test_the_same_message_again(stage: Stage, channel: str) -> None:
    _, frames = stage.client.body("bind_request")
    sealed = stage.client.seal(channel, frames)
    stage.client.raw(channel, sealed)
    stage.client.take(channel, lambda _: True)
    refused(stage, channel, sealed, "replayed counter")


# Step 5, the tag


SIGNED: dict[str, Change] = {
    "the tag's first bit": lambda f: [f[0], f[1][:24] + flip(f[1][24:], 0), *f[2:]],
    "the tag's last bit": lambda f: [f[0], f[1][:24] + flip(f[1][24:], -1), *f[2:]],
    "a tag of zeros": lambda f: [f[0], f[1][:24] + bytes(32), *f[2:]],
    "a counter that was not signed": lambda f: [f[0], flip(f[1], 19), *f[2:]],
    "the header": lambda f: [*f[:2], f[2].replace(b"independent", b"dependentin"), *f[3:]],
    "a space in the header": lambda f: [*f[:2], f[2] + b" ", *f[3:]],
    "the parent": lambda f: [*f[:3], b'{"a": 1}', *f[4:]],
    "the metadata": lambda f: [*f[:4], b'{"a": 1}', *f[5:]],
    "the content": lambda f: [*f[:5], f[5].replace(b"'w'", b"'a'"), *f[6:]],
    "a buffer changed": lambda f: [*f[:6], b"Buffer"],
    "a buffer dropped": lambda f: f[:6],
    "a buffer added": lambda f: [*f, b"more"],
    "an empty buffer added": lambda f: [*f, b""],
    "a boundary moved": lambda f: [*f[:3], f[3][:1], f[3][1:] + f[4], *f[5:]],
    "a boundary moved between buffers": lambda f: [*f[:6], f[6][:3], f[6][3:]],
    "frames swapped": lambda f: [*f[:3], f[5], f[4], f[3], f[6]],
}


def flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


@ON_EACH
@pytest.mark.parametrize("change", SIGNED.values(), ids=SIGNED.keys())
def test_what_the_tag_covers(stage: Stage, channel: str, change: Change) -> None:
    refused(stage, channel, change(stage.good(channel)), "bad signature")


@pytest.mark.parametrize(
    ("channel", "key_of", "direction"),
    [
        (channel, key_of, direction)
        for channel in BOUND
        for key_of in CHANNELS
        for direction in (TO_KERNEL, TO_CLIENT)
        if (key_of, direction) != (channel, TO_KERNEL)
    ],
)
def test_the_key_of_another_channel_or_direction(
    stage: Stage, channel: str, key_of: str, direction: int
) -> None:
    key = stage.client.session.keys[key_of, direction]
    refused(stage, channel, stage.good(channel, key=key), "bad signature")


@ON_EACH
def test_the_key_of_another_session(stage: Stage, channel: str) -> None:
    key = stage.other.session.keys[channel, TO_KERNEL]
    refused(stage, channel, stage.good(channel, key=key), "bad signature")


@ON_EACH
def test_the_tag_without_lengths(stage: Stage, channel: str) -> None:
    frames = stage.good(channel)
    key = stage.client.session.keys[channel, TO_KERNEL]
    tag = data_tag(key, frames[1][:24], [b"".join(frames[2:])])
    refused(stage, channel, [frames[0], frames[1][:24] + tag, *frames[2:]], "bad signature")


@ON_EACH
def test_a_message_of_the_kernel_back_to_it(stage: Stage, channel: str) -> None:
    session = stage.client.session
    key = session.keys[channel, TO_CLIENT]
    _, body = stage.client.body("kernel_info_reply", {"status": "ok"})
    frames = stage.client.seal(channel, body, counter=stage.ahead(channel), key=key)
    refused(stage, channel, frames, "bad signature")


def test_an_unconfirmed_session_outlives_a_forgery(stage: Stage) -> None:
    session = stage.client.shake_hands()
    frames = stage.good("control", session=session, counter=1, key=bytes(32))
    refused(stage, "control", frames, "bad signature")
    assert stage.client.join(session, replaces=stage.client.session.id.hex())["status"] == "ok"
    stage.client.bound()
    stage.client.ping()


# The heartbeat


PINGS: dict[str, tuple[str, ChangePing]] = {
    "a stock ping": ("framing", lambda _, __: b"ping"),
    "nothing": ("framing", lambda _, __: b""),
    "55 bytes": ("framing", lambda _, ping: ping[:55]),
    "57 bytes": ("framing", lambda _, ping: ping + b"\0"),
    "another magic": ("framing", lambda _, ping: b"MKC2" + ping[4:]),
    "another channel": ("framing", lambda _, ping: ping[:5] + b"\1" + ping[6:]),
    "a zero byte": ("framing", lambda _, ping: flip(ping, 7)),
    "a PONG": ("framing", lambda _, ping: ping[:4] + bytes([PONG]) + ping[5:]),
    "a DATA": ("framing", lambda _, ping: ping[:4] + bytes([DATA]) + ping[5:]),
    "nobody's session": ("unknown session", lambda _, ping: ping[:8] + b"strange!" + ping[16:]),
    "a counter again": (
        "replayed counter",
        lambda stage, _: sealed_ping(stage, stage.client.session.sent["heartbeat"]),
    ),
    "counter 0": ("replayed counter", lambda stage, _: sealed_ping(stage, 0)),
    "another tag": ("bad signature", lambda _, ping: flip(ping, -1)),
    "another counter": ("bad signature", lambda _, ping: flip(ping, 22)),
    "the kernel's key": (
        "bad signature",
        lambda stage, _: sealed_ping(stage, stage.ahead("heartbeat"), direction=TO_CLIENT),
    ),
    "another channel's key": (
        "bad signature",
        lambda stage, _: sealed_ping(stage, stage.ahead("heartbeat"), channel="control"),
    ),
}


def sealed_ping(
    stage: Stage, counter: int, channel: str = "heartbeat", direction: int = TO_KERNEL
) -> bytes:
    session = stage.client.session
    return heartbeat(session.keys[channel, direction], PING, session.id, counter)


@pytest.mark.parametrize(("reason", "change"), PINGS.values(), ids=PINGS.keys())
def test_a_wrong_ping(stage: Stage, reason: str, change: ChangePing) -> None:
    ping = sealed_ping(stage, stage.ahead("heartbeat"))
    refused(stage, "heartbeat", [b"", change(stage, ping)], reason)
    assert not stage.client.sockets["heartbeat"].poll(0)
