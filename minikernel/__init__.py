"""Authenticated Jupyter messaging: a kernel, a client, and a verdict for every message.

The names below are imported when they are first used (PEP 562): a kernel process, which imports
this package too, does without jupyter_client. What is imported here comes before `__main__` can
take the working directory off the path: nothing that `python -m` has not imported already, but the
version, which is looked for in this package only.
"""

from importlib import import_module

from minikernel.version import __version__ as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikernel.client.asynchronous import AsyncMiniKernelClient
    from minikernel.client.blocking import MiniKernelClient
    from minikernel.client.launch import connect, connect_async, launch, launch_async
    from minikernel.client.ledger import Ledger
    from minikernel.client.manager import AsyncMiniKernelManager, MiniKernelManager
    from minikernel.client.result import Result
    from minikernel.client.trace import Trace
    from minikernel.client.verifier import TraceEvent
    from minikernel.errors import (
        AuthError,
        CellError,
        ClientClosed,
        ConfigError,
        KernelDied,
        LocalProtocolError,
        MinikernelError,
        PermissionDenied,
        RemoteProtocolError,
        RequestLost,
        TooManySessions,
    )

__all__ = [
    "AsyncMiniKernelClient",
    "AsyncMiniKernelManager",
    "AuthError",
    "CellError",
    "ClientClosed",
    "ConfigError",
    "KernelDied",
    "Ledger",
    "LocalProtocolError",
    "MiniKernelClient",
    "MiniKernelManager",
    "MinikernelError",
    "PermissionDenied",
    "RemoteProtocolError",
    "RequestLost",
    "Result",
    "TooManySessions",
    "Trace",
    "TraceEvent",
    "connect",
    "connect_async",
    "launch",
    "launch_async",
]

_HOMES = {
    "AsyncMiniKernelClient": "client.asynchronous",
    "MiniKernelClient": "client.blocking",
    "connect": "client.launch",
    "connect_async": "client.launch",
    "launch": "client.launch",
    "launch_async": "client.launch",
    "Ledger": "client.ledger",
    "AsyncMiniKernelManager": "client.manager",
    "MiniKernelManager": "client.manager",
    "Result": "client.result",
    "Trace": "client.trace",
    "TraceEvent": "client.verifier",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
