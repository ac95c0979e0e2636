"""Clients can connect before the kernel is there, and miss nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq

from tests.bridge.protected import PATIENCE, wait_until, write_kernelspec
from tests.bridge.test_signals import GATED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient

ECHO = Path(__file__).with_name("echo_kernel.py")


def test_requests_wait_for_the_kernel(
    protect: Callable[..., Protected], tmp_path: Path, raw: type[RawClient]
) -> None:
    gate = tmp_path / "gate"
    argv = [sys.executable, "-c", GATED, str(gate), "-f", "{connection_file}"]
    protected = protect(write_kernelspec(tmp_path / "spec", argv))
    client = raw.__new__(raw)
    client.info, client.key, client.digest = (
        protected.info,
        protected.info["key"].encode(),
        "sha256",
    )
    client.session, client.context = "early", zmq.Context()
    client.iopub = client.connect(zmq.SUB, "iopub", subscribe=b"")
    client.shell, client.control = (client.connect(zmq.DEALER, c) for c in ("shell", "control"))
    try:
        asked = [client.send(client.shell, "kernel_info_request") for _ in range(3)]
        cell = client.send(client.shell, "execute_request", code="print('early')")
        on_control = client.send(client.control, "kernel_info_request")
        beat = client.connect(zmq.REQ, "hb")
        beat.send(b"ping")
        assert not any(s.poll(300) for s in (client.shell, client.control, client.iopub, beat))
        gate.touch()
        for msg_id in asked:
            assert client.receive(client.shell)["parent_header"]["msg_id"] == msg_id
        assert client.reply(client.control, on_control)["content"]["status"] == "ok"
        outputs = client.outputs(cell)
        assert [m["content"]["text"] for m in outputs if "text" in m["content"]] == ["early\n"]
        assert client.reply(client.shell, cell)["content"]["status"] == "ok"
        assert beat.poll(PATIENCE * 1000)
    finally:
        client.context.destroy(0)


@pytest.mark.parametrize("separator", ["-", ":"])
def test_a_kernel_is_found_whichever_way_it_spells_its_sockets(
    protect: Callable[..., Protected],
    connect: Callable[..., RawClient],
    tmp_path: Path,
    separator: str,
) -> None:
    argv = [sys.executable, str(ECHO), "{connection_file}", separator]
    client = connect(protect(write_kernelspec(tmp_path / "spec", argv)))
    assert client.text("as it is") == "as it is"
    reply = client.request(client.shell, "odd_request")  # unknown types pass, and so do answers
    assert reply["ename"] == "UnknownRequest"


def test_a_kernel_that_ends_before_it_answers(
    protect: Callable[..., Protected], tmp_path: Path
) -> None:
    code = "import sys; print('no such library', file=sys.stderr); sys.exit(3)"
    argv = [sys.executable, "-c", code, "{connection_file}"]
    protected = protect(write_kernelspec(tmp_path / "spec", argv))
    assert protected.wait() == 3
    lines = protected.terminal.splitlines()
    assert lines[-2:] == ["no such library", "minikernel: the kernel has ended with exit code 3"]


def test_a_bridge_can_be_ended_while_its_kernel_starts(
    protect: Callable[..., Protected], tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", GATED, str(tmp_path / "never"), "-f", "{connection_file}"]
    protected = protect(write_kernelspec(tmp_path / "spec", argv))
    wait_until(protected.family)
    protected.process.terminate()
    assert protected.wait() == 128 + 15
    wait_until(lambda: not protected.family())
