"""A kernel's life: start, serve, end."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from functools import partial
from os import _exit  # a cell may put another there
from typing import TYPE_CHECKING, NoReturn

from minikernel.errors import refusal
from minikernel.interpreter import ending
from minikernel.interpreter.importers import Importers, guard
from minikernel.kernel import fork, signals
from minikernel.kernel.assembly import Assembly
from minikernel.kernel.interrupts import GRACE, Stop, stop
from minikernel.kernel.options import (
    Options,
    connection_file,
    parent,
)
from minikernel.kernel.serving import run_loop
from minikernel.transport.loops import start_thread
from minikernel.wire.content import STARTING
from minikernel.wire.message import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run(options: Options) -> int:
    """Run a kernel until it is told to end; the exit code.

    Raises:
        ConfigError: it can't start; the text says what to mend.
    """
    guard(Importers(sys.path, borders=(run, run_loop)))
    signals.hold()  # a file of ours must not outlive us
    try:
        path, made = connection_file(options)
    except BaseException:
        signals.release()
        raise
    remove = partial(path.unlink, missing_ok=True) if made else _keep
    try:
        with signals.ending_by(stop):
            kernel = Kernel(path, options, remove)
            kernel.catch_signals()
    except Stop:  # it has hardly begun
        remove()
        os._exit(0)
    except BaseException:
        remove()
        raise
    try:
        with contextlib.suppress(Stop):
            if made:
                print(path, flush=True)  # noqa: T201 - what `run` without -f is asked for
                if sys.stderr.isatty():  # where Ctrl-C is for the running cell
                    kernel.log.line(
                        f"`kill {os.getpid()}` ends the kernel, or a client's shutdown; its file"
                        " goes with it: run -f COPY starts it again with the same key"
                    )
            kernel.serve()
    finally:  # also after a failure, which is to be seen on the terminal, not to go into our pipe
        kernel.close()
    _exit(0)  # user threads that never end must not keep the process


def _keep() -> None:
    """Leave the connection file to whoever made it."""


class Kernel:
    """A kernel with its sockets bound.

    Args:
        path: of the connection file.
        options: how to run.
        remove: removes the connection file, if that is ours to do.

    Raises:
        ConfigError: the file, the scheme or an address is refused.
    """

    def __init__(self, path: Path, options: Options, remove: Callable[[], None]) -> None:
        self._path = path
        self._remove_connection_file = remove
        self._control_thread: threading.Thread | None = None
        self._parent = parent()
        self._getppid = os.getppid  # whatever a cell puts there
        self._parts = Assembly(path, options, self)
        self.log = self._parts.log

    def serve(self) -> None:
        """Answer requests until told to end."""
        self._parts.requests.keep_in_threads()
        self._parts.streams.start()
        heartbeat = self._parts.connection.heartbeat
        pong = None if heartbeat is None else heartbeat.answer
        self._parts.sockets.serve(pong, self.failed)
        self._control_thread = start_thread(
            "minikernel control", self._parts.control.run, self.failed
        )
        self._parts.publisher.welcome()
        self._parts.publisher.status(STARTING, EMPTY)
        gc.freeze()  # what is ours stays; garbage is looked for without it, at the end too
        signals.release()
        self._parts.serving.run()

    def catch_signals(self) -> None:
        """Let SIGINT end a cell, and SIGTERM and SIGHUP raise Stop, once the kernel serves."""
        self._parts.gate.open(
            self._parts.waker.writing, self._parts.engine.interrupted, self._give_up
        )
        fork.forget_in_children(
            self._parts.streams, self._parts.scheme, *filter(None, [self._parts.memory])
        )

    def close(self) -> None:
        """Run exit handlers, send what is pending, and leave nothing behind."""
        self._parts.gate.leave()
        self._parts.questions.close()
        running = ending.finish(self._parts.gate.loop, GRACE)
        for step in (self._parts.engine.close, ending.collect, self._parts.streams.stop):
            ending.attempt(step)
        if running:
            self.log.last(f"not waited for any longer: {', '.join(map(repr, running))}")
        self._parts.control.end()
        if self._control_thread is not None:
            ending.attempt(self._control_thread.join, GRACE)
        for step in (self._remove_connection_file, self._parts.sockets.close):
            ending.attempt(step)
        if self._parts.memory is not None:
            ending.attempt(
                lambda memory: memory.close(keep=self._path.exists()), self._parts.memory
            )

    def end(self) -> None:
        """Have the kernel end."""
        self._parts.gate.stopping = True
        self._parts.waker.wake()

    def failed(self, problem: BaseException) -> None:
        """A kernel that is only half there would answer some, and nobody would notice."""
        if not self._parts.gate.is_left:
            name = threading.current_thread().name
            self.log.last(f"the thread {name!r} has ended, and so the kernel: {refusal(problem)}")
            self._end_hard()

    def _give_up(self, reason: str | None) -> NoReturn:
        if reason is not None:
            self.log.line(reason)
        self._end_hard()

    def _end_hard(self) -> NoReturn:
        self._remove_connection_file()
        self._parts.sockets.remove_files()
        _exit(1)

    def tick(self) -> None:
        """A second is over."""
        self._parts.chores.tick()
        if not self._parts.requests.busy:
            self._parts.connection.expire()
        if self._parent is not None and self._getppid() != self._parent:
            self.end()
