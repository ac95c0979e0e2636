"""Frames of libzmq that share the memory of large buffers: what can't change need not be copied."""

from __future__ import annotations

import atexit
import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

import zmq

from minikernel.errors import ConfigError
from minikernel.transport.loops import start_thread
from minikernel.transport.sockets import LARGE, check_descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

Buffer: TypeAlias = Any  # anything with the buffer protocol


class Sharing:
    """Has pyzmq's thread keep buffers until libzmq has sent them.

    That thread has a context of its own, and libzmq aborts the process if a context gets no
    descriptor: so it is started when the first large buffer is sent, and only if many are free.
    Without it everything is copied. One thread calls at a time.
    """

    def __init__(self) -> None:
        self._keeper: Any = None

    def frames(self, buffers: Sequence[Any]) -> list[Any]:
        """These buffers, for `send`: frames that share their memory, where that is safe."""
        return [self._frame(buffer) for buffer in buffers]

    def _frame(self, buffer: Buffer) -> Buffer:
        view = memoryview(buffer)  # of our own: the sender may release theirs
        if view.nbytes < LARGE or not _lasts(view) or not self._is_up():
            return buffer
        with contextlib.suppress(Exception):  # then it is copied
            return zmq.Frame(view, copy=False)
        return buffer

    def _is_up(self) -> bool:
        return (self._keeper is not None and self._keeper.is_alive()) or self._start()

    def _start(self) -> bool:
        try:
            check_descriptors()
            from zmq.utils.garbage import gc  # most kernels never need it

            # Exit handlers run while messages are still being sent: it must not let go of them.
            atexit.unregister(gc._atexit)  # noqa: SLF001 - as above
            # From a thread that takes no signals, as that of pyzmq then does not either.
            start_thread("minikernel sharing", _share_something, lambda _: None).join()
        except (ConfigError, RuntimeError):  # there are no descriptors, or there is no thread
            return False
        self._keeper = gc
        return bool(gc.is_alive())


def _share_something() -> None:
    zmq.Frame(b"", copy=False)


def _lasts(view: memoryview) -> bool:
    """Whether nobody can change what a message in flight would share."""
    return type(view.obj) is bytes and view.c_contiguous
