"""The kernel of docs/examples on ipc: python echo_kernel.py FILE SEPARATOR."""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path
from typing import Any

import zmq

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples"))
import plain_kernel

from minikernel.auth.registry import create
from minikernel.auth.spec import Traits
from minikernel.protocol.end import BARE
from minikernel.protocol.kernel import KernelConnection
from minikernel.transport import connection
from minikernel.wire.channels import Channel
from minikernel.wire.message import HeaderFactory

if __name__ == "__main__":
    file, separator = sys.argv[1:]
    info, _ = connection.read(file)
    context: zmq.Context[Any] = zmq.Context()
    sockets = {}
    for channel in connection.PORTS:
        kind = zmq.XPUB if channel is Channel.IOPUB else zmq.ROUTER
        sockets[channel] = context.socket(kind)
        sockets[channel].bind(
            f"ipc://{info.ip}{separator}{getattr(info, connection.PORTS[channel])}"
        )
    kernel = KernelConnection(
        create("hmac-sha256", info.secret, None),
        Traits(replay_memory=True, stock=True),
        HeaderFactory(uuid.uuid4().hex, "1", "echo", lambda: b'"2026-01-02T03:04:05Z"'),
        guards=BARE,
        contents=plain_kernel.REQUESTS,
        clock=time.monotonic,
    )
    plain_kernel.Echo(kernel, sockets).serve()
    context.destroy()
