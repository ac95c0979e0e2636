"""Odd but authentic messages: whoever has the key may say nonsense, and the kernel lives on.

Each case is a seed. What one finds becomes a line of tests/vectors/odd.json.
"""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import odd

if TYPE_CHECKING:
    from tests.conftest import KernelProcess, RawClient

CHANNELS = ("shell", "control", "stdin")
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "odd.json").read_text())
BATCH = 200  # messages until the kernel has to answer a good one


def send(client: RawClient, channel: str, frames: list[bytes]) -> None:
    socket = getattr(client, channel)
    socket.send_multipart(client.sign(*frames))


def drain(client: RawClient) -> None:
    """What has come is nobody's: the numbers of replies to nonsense are the kernel's affair."""
    for socket in (client.shell, client.control, client.stdin, client.iopub):
        while socket.poll(0):
            client.receive(socket)  # strict enough for any client to decode


def all_is_well(kernel: KernelProcess, client: RawClient) -> None:
    assert kernel.process.poll() is None, kernel.terminal
    for socket in (client.shell, client.control):
        assert client.request(socket, "kernel_info_request")["status"] == "ok"
    assert client.text("print(6 * 7)") == "42\n"
    for channel in CHANNELS:
        assert "internal error" not in client.rejected(channel), kernel.terminal


def fuzz(kernel: KernelProcess, client: RawClient, seed: int, count: int) -> None:
    rng = random.Random(seed)
    for turn in range(count):
        header: dict[str, Any] = client.header("execute_request")
        send(client, rng.choice(CHANNELS), odd.body(rng, header))
        if turn % BATCH == BATCH - 1:
            drain(client)
            all_is_well(kernel, client)
    drain(client)
    all_is_well(kernel, client)
    assert "internal error" not in kernel.terminal


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_odd_messages(kernel: KernelProcess, client: RawClient, seed: int) -> None:
    fuzz(kernel, client, seed, 1000 if seed == 1 else 20_000)


@pytest.mark.parametrize("name", VECTORS)
def test_what_was_found(kernel: KernelProcess, client: RawClient, name: str) -> None:
    vector = VECTORS[name]
    client.text(vector.get("before", ""))
    frames = [base64.b64decode(frame) for frame in vector["frames"]]
    session = json.dumps(client.session).encode()
    for channel in vector.get("channels", CHANNELS):
        send(client, channel, [frame.replace(b'"SESSION"', session) for frame in frames])
    drain(client)
    client.text(vector.get("after", ""))
    all_is_well(kernel, client)
