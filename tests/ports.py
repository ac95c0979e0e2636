"""Ports for the kernels of stock front ends, which choose before the kernel binds.

jupyter_client asks the system for free ports, closes them, and tells the kernel. Meanwhile the
system may give them to the test beside. These lie where it takes none by itself.
"""

from __future__ import annotations

import random
import socket

from jupyter_client.connect import LocalPortCache

LOWEST, HIGHEST = 10_000, 32_000  # below what systems use for ports 0


def _find_available_port(self: LocalPortCache, ip: str) -> int:
    choose = random.SystemRandom()
    while True:
        port = choose.randrange(LOWEST, HIGHEST)
        with socket.socket() as probe:
            if port not in self.currently_used_ports and probe.connect_ex((ip, port)):
                self.currently_used_ports.add(port)
                return port


LocalPortCache.find_available_port = _find_available_port  # type: ignore[method-assign]
