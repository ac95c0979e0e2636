"""The independent client itself against the scheme's vectors."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from independent_wire import (
    CHANNELS,
    DATA,
    PING,
    PONG,
    PUBLISH,
    TO_CLIENT,
    TO_KERNEL,
    Session,
    challenge_tag,
    client_psk,
    data_tag,
    head,
    heartbeat,
    hello,
    invitation,
    publish_tag,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "channel-hmac.json").read_text())
DIRECTIONS = {"client to kernel": TO_KERNEL, "kernel to client": TO_CLIENT}


@pytest.fixture(params=["owner", "observer"])
def vectors(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = VECTORS[request.param]
    return found


@pytest.fixture
def session(vectors: dict[str, Any]) -> Session:
    psk, said, answered = (bytes.fromhex(vectors[n]) for n in ("psk", "HELLO", "CHALLENGE"))
    return Session(psk, said, answered)


def test_psk(vectors: dict[str, Any]) -> None:
    psk = client_psk(VECTORS["master"], vectors["client_id"], vectors["rights"])
    assert psk.hex() == vectors["psk"]


def test_an_invitation_holds_the_psk_and_no_key() -> None:
    given = invitation({"key": VECTORS["master"], "ip": "127.0.0.1"}, "alice", 1)
    assert given == {
        "ip": "127.0.0.1",
        "client_id": "alice",
        "rights": 1,
        "client_key": VECTORS["observer"]["psk"],
    }


def test_hello(vectors: dict[str, Any]) -> None:
    psk, nonce = bytes.fromhex(vectors["psk"]), bytes.fromhex(vectors["nonce_c"])
    assert hello(psk, nonce, vectors["rights"], vectors["client_id"]).hex() == vectors["HELLO"]


def test_challenge(vectors: dict[str, Any]) -> None:
    psk, said, answered = (bytes.fromhex(vectors[n]) for n in ("psk", "HELLO", "CHALLENGE"))
    assert challenge_tag(psk, said, answered[:80]) == answered[80:]


def test_what_a_challenge_says(vectors: dict[str, Any], session: Session) -> None:
    assert session.id.hex() == vectors["session_id"]
    assert session.run_id.hex() == vectors["run_id"]
    assert session.published == vectors["publish_counter"]


def test_session_keys(vectors: dict[str, Any], session: Session) -> None:
    for name, key in vectors["keys"].items():
        channel, _, direction = name.partition(" ")
        assert session.keys[channel, DIRECTIONS[direction]].hex() == key
    assert len(vectors["keys"]) == len(session.keys) == 2 * len(CHANNELS)


@pytest.mark.parametrize(
    ("channel", "direction", "counter"),
    [("shell", "client to kernel", 1), ("stdin", "kernel to client", 7)],
)
def test_data(
    vectors: dict[str, Any],
    session: Session,
    channel: str,
    direction: str,
    counter: int,
) -> None:
    frames = [bytes.fromhex(f) for f in vectors["frames_hex"]]
    head24 = head(DATA, channel, session.id, counter)
    tag = data_tag(session.keys[channel, DIRECTIONS[direction]], head24, frames)
    assert (head24 + tag).hex() == vectors[f"DATA {channel} {direction} counter {counter}"]


def test_publish(vectors: dict[str, Any], session: Session) -> None:
    frames = [bytes.fromhex(f) for f in vectors["frames_hex"]]
    head24 = head(PUBLISH, "iopub", session.run_id[:8], 42)
    tag = publish_tag(session.keys["iopub", TO_CLIENT], head24, b"stream", frames)
    auth = head24 + struct.pack(">H", 1) + session.id + tag
    assert auth.hex() == vectors["PUBLISH topic 'stream' counter 42, this session only"]


@pytest.mark.parametrize(
    ("name", "kind", "direction"),
    [("PING counter 3", PING, TO_KERNEL), ("PONG counter 3", PONG, TO_CLIENT)],
)
def test_heartbeat(
    vectors: dict[str, Any], session: Session, name: str, kind: int, direction: int
) -> None:
    key = session.keys["heartbeat", direction]
    assert heartbeat(key, kind, session.id, 3).hex() == vectors[name]
