"""Stands for the bridge itself until that is merged: waits for the kernel's end."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minikernel.bridge.starting import Options, Started


def run(options: Options, started: Started) -> int:
    """Wait for the kernel's end; its exit code, or 128 and the signal."""
    del options
    select.select([started.kernel.fd], [], [])
    code = started.kernel.poll() or 0
    return code if code >= 0 else 128 - code
