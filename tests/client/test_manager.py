from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_core.utils import ensure_async
from traitlets.config import Config

import minikernel
from minikernel.client.manager import own_kernel_spec
from minikernel.transport.connection import PORTS as NAMES
from minikernel.transport.ring_file import beside

PORTS = tuple(NAMES.values())
PATIENCE = 30  # seconds


def test_the_kernel_needs_no_installed_kernelspec() -> None:
    spec = minikernel.MiniKernelManager().kernel_spec
    assert spec is not None
    assert spec.argv[:4] == [sys.executable, "-m", "minikernel", "run"]
    assert spec.interrupt_mode == "signal"


def test_the_scheme_is_configurable() -> None:
    config = Config({"MiniKernelManager": {"scheme": "hmac-sha512"}})
    manager = minikernel.MiniKernelManager(config=config)
    assert manager.session.signature_scheme == "hmac-sha512"
    assert manager.session.key


def test_null_is_passed_on_to_the_kernel() -> None:
    assert own_kernel_spec("null").argv[-2:] == ["--scheme", "null"]
    assert "--scheme" not in own_kernel_spec().argv


def test_an_unknown_scheme_is_refused_at_once() -> None:
    with pytest.raises(minikernel.ConfigError):
        minikernel.MiniKernelManager(scheme="md5")


def test_every_key_is_new() -> None:
    keys = {minikernel.MiniKernelManager().session.key for _ in range(3)}
    assert len(keys) == 3


def test_it_serves_jupyter_clients_start_functions() -> None:
    manager = minikernel.MiniKernelManager()
    manager.start_kernel(extra_arguments=["--history", "off"])
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=30)
        assert client.execute_interactive("1", output_hook=len)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def test_the_asyncio_one_likewise() -> None:
    async def main() -> None:
        manager = minikernel.AsyncMiniKernelManager()
        await manager.start_kernel(extra_arguments=["--history", "off"])
        client = manager.client()
        try:
            client.start_channels()
            await client.wait_for_ready(timeout=30)
            assert (await client.run("1")).value == "1"
        finally:
            client.stop_channels()
            await manager.shutdown_kernel()

    asyncio.run(main())


def test_the_kernel_chooses_the_ports() -> None:
    manager = minikernel.MiniKernelManager()
    manager.write_connection_file()
    file = Path(manager.connection_file)
    assert {json.loads(file.read_text())[name] for name in PORTS} == {0}
    manager.start_kernel(extra_arguments=["--history", "off"])
    try:
        info = manager.get_connection_info()
        assert 0 not in {info[name] for name in PORTS}
        assert json.loads(file.read_text()).items() >= {name: info[name] for name in PORTS}.items()
        manager.restart_kernel()
        assert manager.get_connection_info() == info
    finally:
        manager.shutdown_kernel()


class Slow(minikernel.MiniKernelManager):
    """One that the system lets go on only when the kernel has written its ports."""

    def _reconcile_connection_info(self, info: dict[str, Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while json.loads(Path(self.connection_file).read_text())["shell_port"] == 0:
            assert time.monotonic() < deadline
        super()._reconcile_connection_info(info)


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("scheme", ["hmac-sha256", "channel-hmac-sha256"])
def test_a_file_that_a_kernel_has_read_is_not_written_again(scheme: str) -> None:
    manager = Slow(scheme=scheme)
    manager.start_kernel(extra_arguments=["--history", "off"])
    try:
        fields = json.loads(Path(manager.connection_file).read_text())
        assert [manager.get_connection_info()[name] for name in PORTS] == [fields[n] for n in PORTS]
        assert fields["signature_scheme"] == scheme
        with minikernel.connect(manager.connection_file) as client:
            assert client.run("6 * 7").value == "42"
    finally:
        manager.shutdown_kernel(now=True)


def test_ports_of_ones_own_are_kept() -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    manager = minikernel.MiniKernelManager(**dict(zip(PORTS, ports, strict=True)))
    manager.start_kernel(extra_arguments=["--history", "off"])
    try:
        assert [manager.get_connection_info()[name] for name in PORTS] == ports
    finally:
        manager.shutdown_kernel()


def test_of_ports_that_are_named_in_part_the_kernel_chooses_the_rest() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    manager = minikernel.MiniKernelManager(shell_port=port)
    manager.start_kernel(extra_arguments=["--history", "off"])
    try:
        info = manager.get_connection_info()
        assert info["shell_port"] == port
        assert 0 not in {info[name] for name in PORTS}
    finally:
        manager.shutdown_kernel()


@pytest.mark.parametrize("kind", [minikernel.MiniKernelManager, minikernel.AsyncMiniKernelManager])
def test_a_kernel_that_ends_at_once_leaves_no_file(
    kind: type[minikernel.MiniKernelManager],
) -> None:
    manager = kind()

    async def start() -> None:
        await ensure_async(manager.start_kernel(extra_arguments=["--no-such-option"]))

    with pytest.raises(minikernel.KernelDied):
        asyncio.run(start())
    assert not Path(manager.connection_file).exists()


def test_a_replay_memory_goes_with_its_key() -> None:
    context = zmq.Context()  # a manager with one of its own can't start a second kernel
    manager = minikernel.MiniKernelManager(context=context)
    manager.start_kernel()
    first, ring = manager.session.key, beside(Path(manager.connection_file))
    with manager.client() as client:
        client.start_channels()
        client.wait_for_ready(60)
        assert ring.exists()
        manager.restart_kernel()
        assert (ring.exists(), manager.session.key) == (True, first)
    manager.shutdown_kernel()
    assert not ring.exists()
    manager.start_kernel()  # else what was recorded before could be said once more
    assert manager.session.key != first
    manager.shutdown_kernel(now=True)
    context.destroy(0)
