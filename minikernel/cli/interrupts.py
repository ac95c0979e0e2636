"""Ctrl-C in a console: it interrupts the kernel, even one that somebody else has started."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from minikernel import MiniKernelClient
from minikernel.client.escape import printable
from minikernel.errors import MinikernelError, PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str, bool], str | None]


@contextlib.contextmanager
def interrupting(orders: Orders, ask: Ask) -> Iterator[Ask]:
    """Let the first Ctrl-C interrupt the kernel, and the second raise KeyboardInterrupt.

    `client.run` does this itself with a kernel that it has launched.

    Args:
        orders: to the kernel.
        ask: asks the user.

    Yields:
        what asks the user, and takes Ctrl-C for an interrupt too.
    """
    if orders.client.manager is not None:
        yield ask
        return
    interrupt = Interrupt(orders)
    before = signal.signal(signal.SIGINT, interrupt.on_signal)
    try:
        yield lambda prompt, password: interrupt.guard(ask, prompt, password)
    finally:
        signal.signal(signal.SIGINT, before)
        interrupt.finish()


class Orders:
    """Interrupts a kernel while a client waits for its cell in another thread.

    Nobody else uses the control channel meanwhile, unless a handshake may go on there; then
    the orders have a client of their own.

    Args:
        client: on the kernel.
    """

    def __init__(self, client: MiniKernelClient) -> None:
        self.client = client
        self._second: MiniKernelClient | None = None

    def interrupt(self) -> None:
        """Raises TimeoutError or MinikernelError if the kernel does not do it."""
        if not self.client.verifier.scheme.permits("interrupt_request"):
            raise PermissionDenied("this client may not interrupt")
        apart = not self.client.verifier.traits.handshake
        (self.client if apart else self._another()).interrupt()

    def _another(self) -> MiniKernelClient:
        """The second client, with a session in place of its last one: that may have expired."""
        if self._second is None:
            self._second = MiniKernelClient(
                connection_file=self.client.connection_file, scheme=self.client.scheme
            )
            self._second.load_connection_file()
        else:
            self._second.verifier.scheme.renew(time.monotonic())
        return self._second

    def close(self) -> None:
        """Close the second client."""
        if self._second is not None:
            self._second.close()


class Interrupt:
    """Sends one interrupt_request.

    In a thread: the signal's handler may have stopped the main thread anywhere.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._thread: threading.Thread | None = None

    def send(self) -> None:
        """Interrupt the kernel, or raise KeyboardInterrupt if that was done before."""
        if self._thread is not None:
            raise KeyboardInterrupt
        self._thread = threading.Thread(target=self._interrupt, daemon=True)
        self._thread.start()

    def _interrupt(self) -> None:
        try:
            self._orders.interrupt()
        except TimeoutError:
            return
        except MinikernelError as problem:
            said = printable(str(problem))
            print(f"\nno interrupt: {said}; Ctrl-C again stops waiting", file=sys.stderr)

    def on_signal(self, *_: object) -> None:
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
