"""A client's socket keeps what a dead kernel did not take: the next one must not end by it."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import KernelManager

import minikernel
from minikernel.client.manager import own_kernel_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 20
MANY = pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(600)])
TIMES = pytest.mark.parametrize("times", [3, MANY])


def ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize("options", [(), ("--guards", "off")], ids=["guards", "bare"])
def test_what_was_said_before_the_start_ends_nothing(
    start_kernel: Callable[..., Any],
    connect: Callable[..., Any],
    channel: str,
    options: tuple[str, ...],
) -> None:
    before = ago(1)
    kernel = start_kernel(*options)
    raw = connect(kernel)
    socket = getattr(raw, channel)
    msg_id, frames = raw.message("shutdown_request", {"restart": True}, date=before)
    socket.send_multipart(frames)
    reply = raw.reply(socket, msg_id)
    assert reply["header"]["msg_type"] == "shutdown_reply"
    assert reply["content"]["status"] == "error"
    assert raw.text("print('lives')") == "lives\n"
    assert raw.rejected(channel) == {"meant for an earlier kernel": 1}
    assert kernel.terminal.count("meant for an earlier kernel") == 1
    for seconds in (3600, 0):  # another clock, and now
        msg_id, frames = raw.message("shutdown_request", {"restart": False}, date=ago(seconds))
        getattr(raw, channel).send_multipart(frames)
        assert raw.reply(getattr(raw, channel), msg_id)["content"]["status"] == "ok"
        assert kernel.process.wait(PATIENCE) == 0
        kernel.start()
        raw = connect(kernel)


def restart_of_a_dead_one(times: int) -> None:
    for _ in range(times):
        client = minikernel.launch()
        with client:
            os.kill(client.manager.provisioner.pid, 9)  # type: ignore[union-attr]
            deadline = time.monotonic() + PATIENCE
            while client.is_alive() and time.monotonic() < deadline:
                pass
            client.restart(timeout=PATIENCE)
            assert client.run("1", timeout=PATIENCE).value == "1"


@TIMES
@pytest.mark.usefixtures("jupyter")
def test_a_kernel_that_died_is_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.chdir(tmp_path)
    restart_of_a_dead_one(times)


def start_and_end(times: int) -> None:
    for _ in range(times):
        manager = KernelManager()
        manager._kernel_spec = own_kernel_spec()
        manager.start_kernel()
        manager.shutdown_kernel()
        assert not manager.is_alive()


@TIMES
@pytest.mark.usefixtures("jupyter")
def test_a_kernel_that_was_just_started_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.chdir(tmp_path)
    start_and_end(times)
