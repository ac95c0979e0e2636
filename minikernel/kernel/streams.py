"""stdout and stderr of the kernel's process: of Python, its threads, subprocesses and C code.

Python's text is collected in lists and given away in large pieces; what reaches descriptors 1 and
2 by another way goes through a pipe each. Order is kept within Python's streams (also from stdout
to stderr) and within a descriptor. Between them it is kept as far as that is free: text that was
pending when something arrived at a descriptor goes first, and what stands in the pipes goes before
the first text that is written after it.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from minikernel.kernel.descriptors import (
    READ,
    CStdio,
    Pipe,
    open_what_is_closed,
    replace_stdin,
)
from minikernel.kernel.text import TextStream
from minikernel.transport.loops import start_thread

if TYPE_CHECKING:
    from collections.abc import Callable


_TICK = 50  # ms that text may be pending
_PAUSE = 20  # ms in which what trickles into the pipes is collected
_BREATH = 1  # ms in which others get the lock from a thread that always has more to read
_PENDING = 1 << 17  # characters that may be pending
_MESSAGE = 1 << 21  # characters of the longest piece that is published


class Streams:
    """The redirection of the process's standard streams; one a process.

    In a forked child, and after `stop`, Python's streams write straight to their descriptors: in a
    child these are the pipes to its parent, which publishes.
    """

    def __init__(
        self,
        publish: Callable[[str, str], None],
        *,
        sending: Callable[[], bool] = lambda: False,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is redirected before `start`.

        Args:
            publish: takes "stdout" or "stderr" and a text. Called from any thread, never twice at
                once. What it raises is dropped; there is nobody to tell.
            sending: whether the calling thread is in the middle of sending another message, so
                that a finaliser or signal handler that prints now must not wait for anybody.
            done: called after text was published; an interrupt that came meanwhile, and would have
                lost text if it had not been deferred, may take effect in it.
        """
        self.stdout = TextStream(self, "stdout", 1)
        self.stderr = TextStream(self, "stderr", 2)
        self.terminal = 2  # the original stderr: the kernel's own log
        self._publish = publish
        self._sending = sending
        self._done = done
        self._direct = True
        self._ticking = False  # the thread looks for pending text by itself
        self._pausing = False  # the thread leaves the pipes alone for a moment
        self._stopping = False
        self._reset()

    def _reset(self) -> None:
        # Reentrant: a signal handler or a finaliser may print while its own thread publishes.
        self._lock = threading.RLock()
        self._busy = False
        self._publisher = 0  # the thread that has taken text and not yet published it

    def start(self) -> int:
        """Redirect descriptors 0, 1 and 2 and Python's streams.

        Returns:
            `terminal`: the descriptor under which the original stderr lives on.
        """
        _flush(sys.stdout, sys.stderr)
        open_what_is_closed()
        self._c_stdio = CStdio()
        self._stdin = replace_stdin()
        self._pipes = (Pipe("stdout", 1), Pipe("stderr", 2))
        self.terminal = self._pipes[1].original
        self._ready = select.poll()
        for pipe in self._pipes:
            self._ready.register(pipe.end, select.POLLIN)
        self._woken, self._wake = os.pipe()
        self._python = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        # __stdout__ too: what restores it must not get a buffer that nobody flushes.
        self._replace_python(self.stdout, self.stderr, self.stdout, self.stderr)
        self._direct = False
        os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork)
        self._thread = start_thread("minikernel streams", self._run)
        return self.terminal

    def flush(self) -> None:
        """Publish all that was written until now; bounded, also if somebody writes for ever."""
        if self._direct:
            self._write_out(self.stdout)
            self._write_out(self.stderr)
            return
        self._c_stdio.flush()
        with self._lock:
            self._publish_all()

    def stop(self) -> None:
        """Undo `start`, after a last `flush`; harmless if nothing is redirected."""
        if self._direct:
            return
        self._stopping = True
        os.write(self._wake, b".")
        self._thread.join(1)  # not for ever: a signal handler may have interrupted a publish
        self._c_stdio.flush()
        for pipe in self._pipes:
            os.dup2(pipe.original, pipe.descriptor)
        os.dup2(self._stdin, 0)
        self._replace_python(*self._python)
        with self._lock:
            self._publish_all(final=True)
            self._direct = True
        self._close()
        for pipe in self._pipes:
            os.close(pipe.original)
        os.close(self._stdin)
        self.terminal = 2

    # The slow side of TextStream.

    def grown(self, stream: TextStream, text: str) -> None:
        """Take note of `text`, the first one pending in `stream` or one too many."""
        if self._direct:
            if "\n" in text or stream.size > _PENDING:
                self._write_out(stream)
            return
        if self._sending():
            self._keep_ticking()
            return
        with self._lock:
            self._keep_ticking()
            if self._busy:  # this thread publishes, further down its stack: the tick will do it
                return
            if stream.limit < 0 and stream.parts:  # unless published while we came here
                other = self.stderr if stream is self.stdout else self.stdout
                self._publish_others(other)
                stream.limit = _PENDING
            if stream.size > stream.limit:
                self._publish_text(stream)

    def published(self, stream: TextStream) -> None:
        """Publish what is pending in `stream`."""
        if self._direct:
            self._write_out(stream)
            return
        if self._sending():
            return
        with self._lock:
            if not self._busy:
                self._publish_text(stream)

    # Publishing; all under the lock.

    def _publish_all(self, *, final: bool = False) -> int:
        if self._busy:
            return 0
        size = 0
        # The pending texts of both only if two threads write: then no order is lost.
        for stream in (self.stdout, self.stderr):
            size += self._publish_text(stream)
        return size + self._publish_pipes(final=final)

    def _publish_others(self, other: TextStream) -> None:
        self._publish_text(other)
        self._publish_pipes()

    def publishing(self) -> bool:
        """Whether this thread has taken text and not yet published it."""
        return self._publisher == threading.get_ident()

    def _publish_text(self, stream: TextStream) -> int:
        return self._send(stream.label, stream.take) if stream.parts else 0

    def _publish_pipes(self, *, final: bool = False) -> int:
        if not final and not self._can_read():
            return 0
        return sum(self._send(pipe.label, partial(pipe.read, final=final)) for pipe in self._pipes)

    def _can_read(self) -> bool:
        try:
            self._busy = True  # poll() is not reentrant, and a signal handler may print
            return bool(self._ready.poll(0))
        finally:
            self._busy = False

    def _send(self, label: str, take: Callable[[], str]) -> int:
        try:
            self._publisher = threading.get_ident()
            self._busy = True
            text = take()
            for start in range(0, len(text), _MESSAGE):
                with contextlib.suppress(Exception):
                    self._publish(label, text[start : start + _MESSAGE])
        finally:
            self._busy = False
            self._publisher = 0
        self._done()
        return len(text)

    # The thread: it reads the pipes, and looks every _TICK after pending text while there is any.

    def _run(self) -> None:
        poll, pause = select.poll(), select.poll()
        pause.register(self._woken, select.POLLIN)
        for end in (*(pipe.end for pipe in self._pipes), self._woken):
            poll.register(end, select.POLLIN)
        while not self._stopping:
            events = poll.poll(_TICK if self._ticking else None)
            if any(end == self._woken for end, _ in events):
                os.read(self._woken, READ)
            else:
                self._tick(pause, readable=bool(events))

    def _tick(self, pause: select.poll, *, readable: bool) -> None:
        with self._lock:
            if self._direct:
                return
            self._ticking = False  # before looking: who writes later wakes us
            size = self._publish_all()
            if size:
                self._ticking = True
            self._pausing = readable
        if readable:
            pause.poll(_PAUSE if size < READ else _BREATH)
            self._pausing = False

    def _keep_ticking(self) -> None:
        # A pause ends, because from now on it matters which comes first, text or descriptors.
        if self._pausing or not self._ticking:
            self._pausing = False
            self._ticking = True
            os.write(self._wake, b".")

    # Fork.

    def _before_fork(self) -> None:
        if not self._direct:
            self.flush()

    def _after_fork(self) -> None:
        if self._direct:
            return
        self._reset()
        self._direct = True
        for stream in (self.stdout, self.stderr):
            stream.take()  # the parent's, who publishes it
            stream.buffer.reset()
        self._close()

    def _write_out(self, stream: TextStream) -> None:
        with self._lock:
            data = memoryview(stream.take().encode("utf-8", "replace"))
            while data:
                data = data[os.write(stream.fileno(), data) :]

    def _close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        os.close(self._woken)
        os.close(self._wake)

    def _replace_python(self, *streams: Any) -> None:  # noqa: ANN401 - a TextStream is no TextIO
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]


def _flush(*streams: Any) -> None:  # noqa: ANN401 - whatever stands in sys
    for stream in streams:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
