"""Whether anybody else on this machine can reach the kernel: looked at, not believed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from minikernel.bridge import listening
from minikernel.wire.message import dumps, loads_dict

if TYPE_CHECKING:
    from minikernel.bridge.listening import Listening

DEBUGGER = "debugger"  # in kernel_info: a field, and one of `supported_features`


class Privacy:
    """Looks where the kernel can be reached, and says what has changed.

    Args:
        reaper: pid of the kernel's parent.
    """

    def __init__(self, reaper: int) -> None:
        self._reaper = reaper
        self._said: str | None = None

    def look(self) -> str | None:
        """What there is to say, if it was not said before; None: nothing."""
        problem = describe(listening.look(self._reaper))
        if problem == self._said:
            return None
        self._said = problem
        return problem


def describe(found: Listening | None) -> str | None:
    """What is not private; None: all is, as far as the system tells."""
    if found is None:
        return "this system does not show whether others can reach the kernel"
    host = socket.gethostname()
    places = [str(port) for port in found.ports]
    places += [ascii(path) for path in found.sockets if path.startswith("@")]
    if places:
        return f"open to users of {host}: the kernel's {', '.join(places)}"
    if found.unseen:
        pids = ", ".join(map(str, found.unseen))
        return f"whether others can reach process {pids} of the kernel can't be seen"
    return None


def without_debugger(content: bytes) -> bytes:
    """A kernel_info_reply's content that promises no debugger: its port would be open to others.

    Raises:
        ContentError: it is no JSON object.
    """
    info = loads_dict(content)
    features = info.get("supported_features")
    if isinstance(features, list):
        info["supported_features"] = [f for f in features if f != DEBUGGER]
    return dumps({**info, DEBUGGER: False})
