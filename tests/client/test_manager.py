from __future__ import annotations

import asyncio
import sys

import pytest
from traitlets.config import Config

import minikernel
from minikernel.client.manager import own_kernel_spec


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
