"""When this process was started, as the system knows it: before its first line ran."""

from __future__ import annotations

import os
import time

START_TIME = (
    19  # of the fields after the name in /proc/self/stat, in ticks since the boot (proc(5))
)


def started() -> float:
    """Seconds since the epoch, to within half a tick of the system's clock where it tells.

    Elsewhere it is the last moment at which the process can have been started.
    """
    try:
        with open("/proc/self/stat", "rb") as stat:  # noqa: PTH123 - not an import for one line
            ticks = int(stat.read().rpartition(b")")[2].split()[START_TIME])
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, ValueError, IndexError, AttributeError):
        return time.time() - time.process_time()
    return boot + (ticks + 0.5) / os.sysconf("SC_CLK_TCK")
