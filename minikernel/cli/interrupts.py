"""Ctrl-C in a console: it interrupts the kernel, also one that somebody else has started."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from minikernel import MiniKernelClient

    Ask = Callable[[str, bool], str | None]


@contextlib.contextmanager
def interrupting(client: MiniKernelClient, ask: Ask) -> Iterator[Ask]:
    """Inside of it the first Ctrl-C interrupts the kernel; the second raises KeyboardInterrupt.

    `client.run` does this itself with a kernel that it has launched.

    Args:
        client: on the kernel.
        ask: asks the user.

    Yields:
        what asks the user, and takes Ctrl-C for an interrupt too.
    """
    if client.manager is not None:
        yield ask
        return
    interrupt = Interrupt(client)
    before = signal.signal(signal.SIGINT, interrupt.on_signal)
    try:
        yield lambda prompt, password: interrupt.guard(ask, prompt, password)
    finally:
        signal.signal(signal.SIGINT, before)
        interrupt.finish()


class Interrupt:
    """Sends one interrupt_request.

    In a thread: the signal's handler may have stopped the main thread anywhere, and the control
    channel is used by nobody else meanwhile.
    """

    def __init__(self, client: MiniKernelClient) -> None:
        self._client = client
        self._thread: threading.Thread | None = None

    def send(self) -> None:
        """Interrupt the kernel, or raise KeyboardInterrupt if that was done before."""
        if self._thread is not None:
            raise KeyboardInterrupt
        self._thread = threading.Thread(target=self._interrupt, daemon=True)
        self._thread.start()

    def _interrupt(self) -> None:
        with contextlib.suppress(TimeoutError):
            self._client.interrupt()

    def on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        """Handle SIGINT."""
        self.send()

    def guard(self, ask: Ask, prompt: str, password: bool) -> str | None:  # noqa: FBT001 - on_input's
        """Ask the user; no answer after Ctrl-C."""
        try:
            return ask(prompt, password)
        except KeyboardInterrupt:
            self.send()
            return None

    def finish(self) -> None:
        """Leave the control channel to others."""
        if self._thread is not None:
            self._thread.join()
