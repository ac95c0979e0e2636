"""Ctrl-C while a kernel of ours runs a cell: the kernel is interrupted, and not we."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType, TracebackType

    from typing_extensions import Self

    from minikernel.client.verifier import Msg

    Handler = Callable[[Msg], object]


def end(number: int, _: FrameType | None) -> NoReturn:
    """End the process as `with` and `finally` want it; a signal's handler."""
    raise SystemExit(128 + number)


class Forwarding:
    """Inside of it the first Ctrl-C interrupts the kernel; the second raises KeyboardInterrupt.

    What a signal raises would lose a message that was just taken off its socket, so it waits until
    the message has been handled. A handler may take long, the user's or that of a terminal which
    takes no output, so it is ended at once, unless `holds`.

    Args:
        interrupt: interrupts the kernel; None: it is not ours, Ctrl-C always raises.
        handlers: of messages, by channel.
        holds: whether what a signal raises waits for a handler too, but for one that asks the user.
    """

    def __init__(
        self,
        interrupt: Callable[[], object] | None,
        handlers: Mapping[Channel, Handler],
        *,
        holds: bool = False,
    ) -> None:
        self._interrupt = interrupt
        self._handlers = handlers
        self._holds = holds
        self._forwarded = False
        self._is_held = False
        self._late: BaseException | None = None  # raised once nothing is held
        self._asks = False
        self._started = False
        self._replaced: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # Whoever has a handler of their own, asyncio for one, means it.
            self._replace(signal.SIGINT, signal.default_int_handler, self._on_interrupt)
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._replace(number, end, self._on_end)
        return self

    def _replace(self, number: int, expected: object, handler: Callable[..., object]) -> None:
        if signal.getsignal(number) is expected:
            self._replaced[number] = signal.signal(number, handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """From now on, what a signal raises waits."""
        self._is_held = True

    def let_go(self) -> None:
        """Raise what has waited, if anything has; from now on signals raise at once."""
        self._is_held = False
        late, self._late = self._late, None
        if late is not None:
            raise late

    def handle(self, channel: Channel, msg: Msg) -> object:
        """Let its handler have a message, and give what it returns; None: it has none.

        The first message that is no status shows that the cell runs.
        """
        if msg["msg_type"] != "status":
            self._cell_runs()
        if channel not in self._handlers:
            return None
        return self.call(self._handlers[channel], msg, asks=channel is Channel.STDIN)

    def call(self, handler: Handler, msg: Msg, *, asks: bool = False) -> object:
        """Call a handler; one that asks the user is ended by the first Ctrl-C already."""
        if self._holds and not asks:
            return handler(msg)
        self._asks = asks
        try:
            self.let_go()
            return handler(msg)
        except KeyboardInterrupt:
            if not asks:
                raise
            self._forward()
            return None
        finally:
            self._asks = False
            self._is_held = True

    def _cell_runs(self) -> None:
        """Interrupt once more if Ctrl-C came before the cell began: an idle kernel ignores it."""
        if not self._started and self._forwarded and self._interrupt is not None:
            self._interrupt()
        self._started = True

    def _on_interrupt(self, *_: object) -> None:
        if self._asks:
            raise KeyboardInterrupt
        self._forward()

    def _forward(self) -> None:
        if self._interrupt is None or self._forwarded:
            self._raise(KeyboardInterrupt())
        else:
            self._forwarded = True
            self._interrupt()

    def _on_end(self, number: int, _: FrameType | None) -> None:
        self._raise(SystemExit(128 + number))

    def _raise(self, error: BaseException) -> None:
        if not self._is_held:
            raise error
        self._late = error
