"""Every value of tests/vectors/channel-hmac.json, from both ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.frames import CODES
from minikernel.auth.channel_hmac.kernel import KernelEnd
from minikernel.auth.channel_hmac.keys import Direction, Master, SessionKeys
from minikernel.auth.keys import SecretKey
from minikernel.wire.channels import Channel

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/channel-hmac.json").read_text())
CHANNELS = {
    "shell": Channel.SHELL,
    "control": Channel.CONTROL,
    "stdin": Channel.STDIN,
    "iopub": Channel.IOPUB,
    "heartbeat": Channel.HEARTBEAT,
}
DIRECTIONS = {"client to kernel": Direction.TO_KERNEL, "kernel to client": Direction.TO_CLIENT}
# The text is the key, not its hex: "the UTF-8 bytes of the connection file's key".
MASTER = SecretKey(VECTORS["master"].encode())


class Vector:
    """One client of the file, at both ends."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.credential = Master(MASTER).credential(values["client_id"], values["rights"])
        self.frames = [bytes.fromhex(frame) for frame in values["frames_hex"]]
        drawn = iter([self["run_id"], self["session_id"], self["nonce_k"]])
        self.kernel = KernelEnd(MASTER, entropy=lambda n: exactly(n, next(drawn)))
        self.kernel._published.last = values["publish_counter"]
        self.client = ClientEnd(self.credential, entropy=lambda n: exactly(n, self["nonce_c"]))

    def __getitem__(self, name: str) -> bytes:
        return bytes.fromhex(self.values[name])

    def shake(self) -> None:
        self.client.challenge(self.kernel.hello(self.client.hello(), 0.0))


def exactly(length: int, drawn: bytes) -> bytes:
    assert len(drawn) == length
    return drawn


@pytest.fixture(params=["owner", "observer"])
def vector(request: pytest.FixtureRequest) -> Vector:
    return Vector(VECTORS[request.param])


def test_psk(vector: Vector) -> None:
    assert vector.credential.psk.reveal() == vector["psk"]


def test_hello(vector: Vector) -> None:
    assert vector.client.hello() == vector["HELLO"]


def test_challenge(vector: Vector) -> None:
    assert vector.kernel.hello(vector["HELLO"], 0.0) == vector["CHALLENGE"]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_keys(vector: Vector, channel: str, direction: str) -> None:
    keys = SessionKeys(vector.credential.psk, vector["HELLO"], vector["CHALLENGE"])
    key = keys.key(CHANNELS[channel], DIRECTIONS[direction])
    assert key.reveal().hex() == vector.values["keys"][f"{channel} {direction}"]


def test_data_of_the_client(vector: Vector) -> None:
    vector.shake()
    session = vector.client.candidate
    assert session is not None
    expected = vector["DATA shell client to kernel counter 1"]
    assert session.seal(Channel.SHELL, vector.frames) == expected
    vector.kernel.open(Channel.CONTROL, session.seal(Channel.CONTROL, []), [], (b"c",), 0.0)
    peer = vector.kernel.open(Channel.SHELL, expected, vector.frames, (b"s",), 0.0)
    assert peer[:5] == (
        vector.values["session_id"],
        (b"s",),
        vector.values["client_id"],
        vector.values["rights"],
        True,
    )


def test_data_of_the_kernel(vector: Vector) -> None:
    vector.shake()
    auth = vector.client.candidate.seal(Channel.CONTROL, [])  # type: ignore[union-attr]
    peer = vector.kernel.open(Channel.CONTROL, auth, [], (b"c",), 0.0)
    state = peer.handle.channels[Channel.STDIN]
    state.route, state.sent.last = (b"i",), 6
    expected = vector["DATA stdin kernel to client counter 7"]
    assert vector.kernel.seal(Channel.STDIN, vector.frames, peer) == ((b"i",), expected)
    opened = vector.client.open(Channel.STDIN, expected, vector.frames, [])
    assert opened == ((), vector.values["session_id"])


def test_publish(vector: Vector) -> None:
    vector.shake()
    auth = vector.client.candidate.seal(Channel.CONTROL, [])  # type: ignore[union-attr]
    vector.kernel.open(Channel.CONTROL, auth, [], (b"c",), 0.0)
    expected = vector["PUBLISH topic 'stream' counter 42, this session only"]
    assert vector.kernel.publish(b"stream", vector.frames) == expected
    vector.client.open(Channel.IOPUB, expected, vector.frames, [b"stream"])


def test_heartbeat(vector: Vector) -> None:
    vector.shake()
    session = vector.client.candidate
    assert session is not None
    vector.kernel.open(Channel.CONTROL, session.seal(Channel.CONTROL, []), [], (b"c",), 0.0)
    ping = [session.ping() for _ in range(3)][2]
    assert ping == vector["PING counter 3"]
    assert vector.kernel.pong(ping, 0.0) == vector["PONG counter 3"]
    assert vector.client.pong(vector["PONG counter 3"]) == 3


def test_every_channel_has_a_code() -> None:
    assert set(CODES) == set(Channel)
