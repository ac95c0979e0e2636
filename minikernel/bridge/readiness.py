"""Waiting for the kernel: until it has answered, and what it publishes arrives.

Clients can connect meanwhile; what they say waits in their sockets and ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.bridge.subscribers import WELCOME
from minikernel.transport.clock import Clock
from minikernel.transport.loops import Watch
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.bridge.back import Back
    from minikernel.protocol.relay import Passed
    from minikernel.transport.log import Log
    from minikernel.transport.loops import Source

LOOK = 0.005  # seconds between two looks whether the kernel has made its sockets
AGAIN = 0.3  # seconds after which the kernel is asked again: a subscription takes its time
MOST = 10  # questions; a kernel may say nothing on iopub about them


class Readiness:
    """Asks the kernel for its kernel_info until it is there.

    Args:
        back: where the kernel is.
        log: told of failures of our own.

    Attributes:
        session: `header.session` of the kernel; None: it has none of its own.
        greets: whether it greets its subscribers.
        early: what it has published meanwhile for everybody.
    """

    def __init__(self, back: Back, log: Log) -> None:
        self.session: str | None = None
        self.greets = False
        self.early: list[Passed] = []
        self._back = back
        self._log = log
        self._questions = 0
        self._ask_at = self._tick_at = 0.0
        self._is_answered = self._is_heard = False

    def wait(
        self,
        others: dict[Source, Callable[[], None]],
        tick: Callable[[], None],
        ended: Callable[[], bool],
    ) -> None:
        """Wait for the kernel.

        Args:
            others: descriptors to watch meanwhile.
            tick: called once a second.
            ended: whether to wait no longer.
        """
        sockets = self._back.sockets.sockets
        self._tick = tick
        Watch(
            {
                **others,
                sockets[Channel.SHELL]: self._hear,
                sockets[Channel.IOPUB]: self._listen,
            },
            tick=self._look,
            interval=LOOK,
            failed=lambda problem: self._log.line(f"internal error: {type(problem).__name__}"),
        ).run(lambda: self.is_over or ended())
        if self.is_over:
            self._back.sockets.settle()

    @property
    def is_over(self) -> bool:
        """Whether the kernel is there."""
        return self._is_answered and (self._is_heard or self._questions > MOST)

    def _look(self) -> None:
        now = Clock.monotonic()
        if now >= self._tick_at:
            self._tick_at = now + 1
            self._tick()
        if now >= self._ask_at and self._back.sockets.has_room(Channel.SHELL):
            self._ask_at = now + AGAIN
            if not self._is_answered or self._questions <= MOST:
                self._questions += self._back.ask(Channel.SHELL, b"kernel_info_request", {})

    def _hear(self) -> None:
        for passed in self._back.some(Channel.SHELL):
            self._is_answered = True
            header, parent = passed.message.header, passed.message.parent_header
            if header.session != parent.get("session"):
                self.session = header.session

    def _listen(self) -> None:
        for passed in self._back.some(Channel.IOPUB):
            if passed.own:
                self._is_heard = True
            elif passed.message.header.msg_type == WELCOME.decode():
                self.greets = True
            else:
                self.early.append(passed)
