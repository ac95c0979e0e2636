"""Odd but authentic messages of the owner and of invited clients under channel-hmac."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest
from independent_stage import BOUND, rejected
from independent_wire import OWNER

from tests import odd

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent import IndependentClient

    from tests.conftest import KernelProcess

CONNECTION_FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}
OBSERVE, ALL = 1, 255
BATCH = 50


def all_is_well(kernel: KernelProcess, owner: IndependentClient) -> None:
    assert kernel.process.poll() is None, kernel.terminal
    for channel in ("shell", "control"):
        assert owner.request(channel, "kernel_info_request")["status"] == "ok"
    owner.ping()
    for channel in BOUND:
        assert "internal error" not in rejected(owner, channel), kernel.terminal
    assert "internal error" not in kernel.terminal


@pytest.mark.parametrize(("client_id", "rights"), [("", OWNER), ("eve", OBSERVE), ("bob", ALL)])
@pytest.mark.parametrize("count", [150, pytest.param(3000, marks=pytest.mark.slow)])
def test_odd_messages(
    kernel: KernelProcess,
    independent: Callable[..., IndependentClient],
    *,
    client_id: str,
    rights: int,
    count: int,
) -> None:
    owner, client = independent(kernel), independent(kernel, client_id, rights)
    for one in (owner, client):
        assert one.join()["status"] == "ok"
        one.bound()
    rng = random.Random(count + rights)
    for turn in range(count):
        header = json.loads(client.body("execute_request")[1][0])
        channel = rng.choice(BOUND)
        client.raw(channel, client.seal(channel, odd.body(rng, header)))
        if turn % BATCH == BATCH - 1:
            all_is_well(kernel, owner)
            for messages in (*owner.inbox.values(), *client.inbox.values()):
                messages.clear()
    all_is_well(kernel, owner)
