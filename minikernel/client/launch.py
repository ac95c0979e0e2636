"""`launch` and `connect`: a client in one call."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING, Any, TypeVar

from minikernel.auth.registry import DEFAULT
from minikernel.client.asynchronous import AsyncMiniKernelClient
from minikernel.client.blocking import MiniKernelClient
from minikernel.client.manager import NAME, AsyncMiniKernelManager, MiniKernelManager
from minikernel.client.waiting import Tasks, now
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
    from types import TracebackType

    from minikernel.client.manager import OfFactory
    from minikernel.client.verifier import TraceEvent

_Client = TypeVar("_Client", MiniKernelClient, AsyncMiniKernelClient)

READY_TIMEOUT = 60.0  # seconds
RECONNECT = 5  # ms between two attempts to connect to a kernel that is about to start
RECONNECT_MAX = 50  # ms between those to one that may be away for long


def launch(
    *,
    kernel_name: str = NAME,
    scheme: str = DEFAULT,
    transport: str = "tcp",
    encryption: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float = READY_TIMEOUT,
    extra_arguments: Sequence[str] = (),
    stderr: int | IO[bytes] | None = None,
    trace: Callable[[TraceEvent], object] | None = None,
) -> MiniKernelClient:
    """Start a kernel and connect to it; the kernel ends when the client is closed.

    Args:
        kernel_name: "minikernel", or an installed kernelspec.
        scheme: signature scheme.
        transport: "tcp" or "ipc".
        encryption: "required": with CURVE, or not at all; "auto": if the kernelspec promises it;
            "disabled" or None: without.
        env: environment variables besides those of this process.
        cwd: working directory of the kernel; None: this process's.
        timeout: seconds that the kernel may take to start.
        extra_arguments: appended to the kernel's command line.
        stderr: where the kernel's own log goes, as for `subprocess`; None: to this process's.
        trace: the client's `trace`, from its first message on.

    Raises:
        ConfigError: the scheme or the encryption is refused, or there is no kernelspec of this
            name.
        KernelDied: the kernel ended at once, or did not answer in time.
    """
    manager = MiniKernelManager(
        kernel_name=kernel_name, scheme=scheme, transport=transport, **_policy(encryption)
    )
    options = _start_options(env, cwd, extra_arguments)
    client: MiniKernelClient = now(
        _launched(manager, {**options, "stderr": stderr}, trace, timeout)
    )
    return client


def launch_async(
    *,
    kernel_name: str = NAME,
    scheme: str = DEFAULT,
    transport: str = "tcp",
    encryption: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float = READY_TIMEOUT,
    extra_arguments: Sequence[str] = (),
    stderr: int | IO[bytes] | None = None,
    trace: Callable[[TraceEvent], object] | None = None,
) -> Opening:
    """Like `launch`, for asyncio: enter what is returned, or await it and close the client."""

    async def start() -> AsyncMiniKernelClient:
        manager = AsyncMiniKernelManager(
            kernel_name=kernel_name, scheme=scheme, transport=transport, **_policy(encryption)
        )
        options = _start_options(env, cwd, extra_arguments)
        client: AsyncMiniKernelClient = await _launched(
            manager, {**options, "stderr": stderr}, trace, timeout
        )
        return client

    return Opening(start)


def connect(
    connection_file: str | os.PathLike[str],
    *,
    scheme: str | None = None,
    encryption: str | None = None,
    timeout: float = READY_TIMEOUT,
) -> MiniKernelClient:
    """Connect to a kernel that runs; closing the client leaves it running.

    Args:
        connection_file: its path.
        scheme: what the file must name as signature scheme; None: any but none at all.
        encryption: "required": the file must have CURVE keys; "disabled": must not; "auto" or
            None: as it says.
        timeout: seconds that the kernel may take to answer; a busy one answers too.

    Raises:
        ConfigError: the file is missing or malformed, its key is empty, or its scheme or
            encryption refused.
        KernelDied: no authentic answer came in time.
    """
    path = os.fspath(connection_file)
    client = MiniKernelClient(connection_file=path, scheme=scheme, encryption=encryption)
    return now(_connected(client, timeout))


def connect_async(
    connection_file: str | os.PathLike[str],
    *,
    scheme: str | None = None,
    encryption: str | None = None,
    timeout: float = READY_TIMEOUT,
) -> Opening:
    """Like `connect`, for asyncio: enter what is returned, or await it and close the client."""

    async def start() -> AsyncMiniKernelClient:
        path = os.fspath(connection_file)
        client = AsyncMiniKernelClient(connection_file=path, scheme=scheme, encryption=encryption)
        return await _connected(client, timeout)

    return Opening(start)


class Opening:
    """A client that is about to be: await it, or enter it."""

    def __init__(self, start: Callable[[], Awaitable[AsyncMiniKernelClient]]) -> None:
        self._start = start
        self._client: AsyncMiniKernelClient | None = None

    def __await__(self) -> Generator[Any, None, AsyncMiniKernelClient]:
        return self._start().__await__()

    async def __aenter__(self) -> AsyncMiniKernelClient:
        self._client = await self._start()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()


async def _launched(
    manager: MiniKernelManager,
    options: dict[str, Any],
    trace: Callable[[TraceEvent], object] | None,
    timeout: float,
) -> OfFactory:
    manager.check_kernel_spec()
    try:
        await Tasks.settled(manager.start_kernel(**options))
        client: OfFactory = manager.client()
        client.owns_kernel = True
        client.context.reconnect_ivl = RECONNECT  # for all sockets that it will make
        client.trace = trace
    except BaseException:  # Ctrl-C too must leave neither a kernel nor a file with its key
        with contextlib.suppress(KeyError):  # jupyter_client: no ports yet, if there is no file
            await Tasks.settled(manager.shutdown_kernel(now=True))
        raise
    await _be_ready(client, timeout)
    return client


async def _connected(client: _Client, timeout: float) -> _Client:
    client.load_connection_file()
    client.context.reconnect_ivl = RECONNECT  # soon after a restart
    client.context.reconnect_ivl_max = RECONNECT_MAX
    await _be_ready(client, timeout)
    return client


async def _be_ready(client: OfFactory, timeout: float) -> None:
    try:
        client.start_channels()
        await Tasks.settled(client.wait_for_ready(timeout))
    except BaseException:
        await Tasks.settled(client.close())
        raise


def _policy(encryption: str | None) -> dict[str, str]:
    """The manager's option, refused in our own words if it can't be had."""
    if encryption is None:
        return {}
    connection.check_encryption(encryption, encrypted=encryption == "required")
    if encryption != "disabled":
        curve.check_available()
    return {"transport_encryption": encryption}


def _start_options(
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    extra_arguments: Sequence[str],
) -> dict[str, Any]:
    return {
        "env": {**os.environ, **(env or {})},
        "cwd": cwd,
        "extra_arguments": list(extra_arguments),
    }
