"""`minikernel protect --run`: the kernel is started first, then the bridge to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minikernel.bridge import behind, kernelspec
from minikernel.bridge.signals import Signals

if TYPE_CHECKING:
    from minikernel.bridge.options import Options


def run(options: Options) -> int:
    """Run a kernel behind a bridge until it ends; the exit code.

    Raises:
        ConfigError: the kernelspec, the connection file or an address is refused.
    """
    parent = os.getppid()
    signals = Signals()
    spec = kernelspec.read(options.kernelspec)
    kernel = behind.start(spec, options.arguments, os.environ)
    try:
        from minikernel.bridge.life import live  # noqa: PLC0415 - the kernel starts meanwhile

        return live(options.connection_file, kernel, signals, parent)
    finally:
        kernel.process.close()
