"""The thread that answers while a cell runs: control, stdin, subscriptions, signals."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from functools import partial
from os import read, write  # not looked up in `os`, where cells patch
from typing import TYPE_CHECKING, Any

from minikernel.kernel.perform import Performer
from minikernel.transport.loops import Watch, start_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from minikernel.kernel.handlers import Parts
    from minikernel.kernel.port import Port
    from minikernel.transport.loops import Source
    from minikernel.wire.message import Message

    Request = Coroutine[Callable[[], Any], Any, None]
    Work = Callable[[], Any]


class Waker:
    """A pipe that wakes the control thread; what signals write into it are their numbers."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(self.writing, False)

    def wake(self) -> None:
        """Make the thread look around."""
        with contextlib.suppress(BlockingIOError):  # full: it will look around anyway
            write(self.writing, b"\0")

    def caught(self) -> bytes:
        """The numbers of signals that came."""
        return read(self.reading, 4096)


class Control:
    """Owns the sockets of control and stdin.

    Args:
        port: of control.
        stdin: its port.
        subscriptions: a descriptor that becomes readable when something has happened to iopub.
        waker: of this thread.
        parts: what handlers use.
        on_wake: called with the numbers of signals that came.
        on_tick: called once a second.
    """

    def __init__(
        self,
        port: Port,
        stdin: Port,
        subscriptions: int,
        waker: Waker,
        parts: Parts,
        *,
        on_wake: Callable[[bytes], None],
        on_tick: Callable[[], None],
    ) -> None:
        self._port = port
        self._stdin = stdin
        self._subscriptions = subscriptions
        self._waker = waker
        self._questions = parts.questions
        self._publisher = parts.publisher
        self._performer = Performer(port, parts)
        self._aside = Aside(waker.wake)
        self._on_wake = on_wake
        self._on_tick = on_tick
        self._ended = False

    def run(self) -> None:
        """The thread's work, until `end`."""
        sources: dict[Source, Callable[[], None]] = {
            self._port.socket: self._receive_control,
            self._stdin.socket: self._receive_stdin,
            self._subscriptions: self._publisher.welcome,
            self._waker.reading: self._woken,
        }
        Watch(sources, tick=self._tick, failed=self._fail).run(lambda: self._ended)

    def _fail(self, problem: Exception) -> None:
        """Our own code has failed, over no message that could be named."""
        self._port.fail(None, problem)

    def end(self) -> None:
        """Make `run` return soon."""
        self._ended = True
        self._waker.wake()

    def _woken(self) -> None:
        signals = self._waker.caught()
        self._publisher.welcome()  # those that did not have their turn yet
        self._questions.put()
        self._aside.go_on()
        self._on_wake(signals)

    def _tick(self) -> None:
        self._on_tick()
        self._publisher.renew()
        self._questions.close_those_of_who_has_gone()

    def _receive_stdin(self) -> None:
        self._receive(self._stdin, self._questions.heed)

    def _receive_control(self) -> None:
        self._receive(self._port, self._serve)

    def _receive(self, port: Port, act: Callable[[Message], None]) -> None:
        """Act on each message that has come: what one brings about costs the others nothing."""
        for frames in port.inbox.some():
            message = None
            try:
                message = port.take(frames)
                if message is not None:
                    act(message)
            except Exception as problem:  # noqa: BLE001 - a bug of ours
                port.fail(message, problem)

    def _serve(self, message: Message) -> None:
        self._aside.begin(self._performer.perform(message))


class Aside:
    """Does what handlers of control would have to wait for, in a thread of its own.

    Args:
        wake: has the control thread call `go_on`.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._done: deque[tuple[Request, Work]] = deque()

    def begin(self, request: Request) -> None:
        """Do a request; it ends here and now unless its handler awaits `aside`."""
        self._step(request, partial(request.send, None))

    def go_on(self) -> None:
        """Go on with those whose work is done."""
        while self._done:
            self._step(*self._done.popleft())

    def _step(self, request: Request, step: Work) -> None:
        with contextlib.suppress(StopIteration):
            start_thread("minikernel aside", partial(self._work, request, step()))

    def _work(self, request: Request, work: Work) -> None:
        try:
            step = partial(request.send, work())
        except Exception as problem:  # noqa: BLE001 - the handler's to see
            step = partial(request.throw, problem)
        self._done.append((request, step))
        self._wake()
