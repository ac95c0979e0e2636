"""Ctrl-C while a kernel of ours runs a cell: the kernel is interrupted, and not we."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from typing_extensions import Self


class Forwarding:
    """Inside of it the first Ctrl-C interrupts the kernel; the second raises KeyboardInterrupt.

    An exception at any point of the wait could lose the message that was just taken off a socket;
    so the signal does not raise, except in callbacks, which may be waiting for the user.

    Args:
        interrupt: interrupts the kernel; None: it is not ours, Ctrl-C always raises.
    """

    def __init__(self, interrupt: Callable[[], object] | None) -> None:
        self._interrupt = interrupt
        self._forwarded = False
        self._in_callback = False
        self._started = False
        self._replaced: Any = None

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        # Whoever has a handler of their own, asyncio for one, means it.
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._replaced = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._replaced is not None:
            signal.signal(signal.SIGINT, self._replaced)

    def call(self, callback: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 - whatever it returns
        """Call the user's callback, which Ctrl-C may end; then it returns None."""
        self._in_callback = True
        try:
            return callback(*args)
        except KeyboardInterrupt:
            self._forward()
            return None
        finally:
            self._in_callback = False

    def cell_runs(self) -> None:
        """Interrupt once more if Ctrl-C came before the cell began: an idle kernel ignores it."""
        if not self._started and self._forwarded and self._interrupt is not None:
            self._interrupt()
        self._started = True

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        if self._in_callback:
            raise KeyboardInterrupt
        self._forward()

    def _forward(self) -> None:
        if self._interrupt is None or self._forwarded:
            raise KeyboardInterrupt
        self._forwarded = True
        self._interrupt()
