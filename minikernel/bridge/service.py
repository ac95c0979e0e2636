"""The bridge itself, once its kernel has been started."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minikernel.bridge.life import Life
from minikernel.bridge.signals import Signals

if TYPE_CHECKING:
    from minikernel.bridge.starting import Options, Started


def run(options: Options, started: Started) -> int:
    """Be the bridge until the kernel ends, or we are to; the exit code.

    Raises:
        ConfigError: the connection file, its scheme or an address is refused.
    """
    life = Life(started, Signals(), _parent(), require_private=options.require_private)
    return life.lead(options.connection_file)


def _parent() -> int:
    """Whose end is ours; who gave JPY_PARENT_PID may have ended already, and we be init's."""
    given = os.environ.get("JPY_PARENT_PID", "")
    return int(given) if given.isdecimal() and os.getppid() == 1 else os.getppid()
