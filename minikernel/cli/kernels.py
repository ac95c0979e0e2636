"""Kernels that a subcommand starts for itself, and ends with itself."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from typing import IO, TYPE_CHECKING

import minikernel
from minikernel.client.escape import plain
from minikernel.client.interrupts import end
from minikernel.kernel.signals import heeded_endings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel import MiniKernelClient
    from minikernel.client.conversation import Option

SHOWN = 500  # characters of a kernel's log


@contextlib.contextmanager
def kernel_of_our_own(**options: Option) -> Iterator[MiniKernelClient]:
    """A client on a fresh kernel, whose log is shown only if it does not start.

    Raises:
        ConfigError: an option is refused.
        KernelDied: the kernel did not start.
    """
    with orderly_end(), tempfile.TemporaryFile() as log:
        try:
            client = minikernel.launch(stderr=log, **options)
        except minikernel.KernelDied as problem:
            raise minikernel.KernelDied(f"{problem}{_said(log)}") from None
        with client:
            yield client


def _said(log: IO[bytes]) -> str:
    log.seek(0)
    text = plain(log.read().decode(errors="replace")).strip()[-SHOWN:]
    return f"; it said: {text}" if text else ""


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Let `with` and `finally` do their work on SIGTERM and when the terminal goes away."""
    before = {number: signal.signal(number, end) for number in heeded_endings()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
