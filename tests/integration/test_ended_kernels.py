"""A kernel that is not ours ends while a client waits without limit: the client notices."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.errors import KernelDied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import KernelProcess

PATIENCE = 60
PROMISED = 10  # seconds, as the documents say; measured from the kernel's end on
SLEEPING = "print('started')\nimport time\ntime.sleep(600)"
KINDS = pytest.mark.parametrize(
    "fields",
    [
        {},
        pytest.param({"signature_scheme": "channel-hmac-sha256"}, marks=pytest.mark.slow),
        pytest.param({"transport": "ipc"}, marks=pytest.mark.slow),
    ],
    ids=["tcp", "channel-hmac", "ipc"],
)


def started(kernel: KernelProcess) -> Callable[[dict[str, Any]], None]:
    def kill(msg: dict[str, Any]) -> None:
        if msg["msg_type"] == "stream":
            kernel.kill()

    return kill


@KINDS
def test_a_blocking_client_notices(
    start_kernel: Callable[..., KernelProcess],
    fields: dict[str, str],
    tmp_path: Path,
) -> None:
    kernel = start_kernel(
        **{"ip": str(tmp_path / "ipc") if fields.get("transport") else "127.0.0.1", **fields}
    )
    with (
        minikernel.connect(kernel.file, timeout=PATIENCE) as client,
        pytest.raises(KernelDied, match="the kernel has ended"),
    ):
        client.run(SLEEPING, on_output=started(kernel))


@pytest.mark.slow
def test_an_asyncio_client_notices(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel()

    async def run() -> None:
        async with minikernel.connect_async(kernel.file, timeout=PATIENCE) as client:
            with pytest.raises(KernelDied, match="the kernel has ended"):
                await client.run(SLEEPING, on_output=started(kernel))

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["hmac-sha256", "channel-hmac-sha256"])
def test_a_kernel_that_is_suspended_has_not_ended(
    start_kernel: Callable[..., KernelProcess], scheme: str
) -> None:
    kernel = start_kernel(signature_scheme=scheme)

    def suspend(msg: dict[str, Any]) -> None:
        if msg["msg_type"] == "stream":
            os.kill(kernel.process.pid, signal.SIGSTOP)
            threading.Timer(2 * PROMISED, os.kill, (kernel.process.pid, signal.SIGCONT)).start()

    with minikernel.connect(kernel.file, timeout=PATIENCE) as client:
        began = time.monotonic()
        assert client.run("print(1)\nimport time\ntime.sleep(1)", on_output=suspend).status == "ok"
        assert time.monotonic() - began > PROMISED
