from __future__ import annotations

import threading

from minikernel.transport import connection
from minikernel.transport.connection import ConnectionInfo
from minikernel.transport.sockets import KernelSockets

PATIENCE = 20


def test_sockets_that_were_never_served_can_be_closed() -> None:
    info = ConnectionInfo(**dict.fromkeys(connection.PORTS.values(), 0))
    closing = threading.Thread(target=KernelSockets(info).close, daemon=True)
    closing.start()
    closing.join(PATIENCE)
    assert not closing.is_alive()
