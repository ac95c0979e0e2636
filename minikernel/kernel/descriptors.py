"""Descriptors 0, 1 and 2 of the kernel's process, and what C code keeps back from them."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import sys
from os import read  # not looked up in `os`, where cells patch
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ = 1 << 16  # bytes that are read at once
STDERR = 2  # a descriptor
_PIPE = 1 << 20  # bytes that a pipe should hold: Linux's limit for everybody


class Pipe:
    """Descriptor 1 or 2, led into a pipe."""

    def __init__(self, label: str, descriptor: int) -> None:
        self.label = label
        self.descriptor = descriptor
        self.original = os.dup(descriptor)
        # Keeping a write end means that there is no end of file, whoever closes descriptor 1.
        self.end, self._kept = os.pipe()
        os.set_blocking(self.end, False)
        self._capacity = _enlarge(self.end)
        os.dup2(self._kept, descriptor, inheritable=True)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def read(self, *, final: bool) -> str:
        """Return what is in the pipe; with `final` also half a character."""
        chunks: list[bytes] = []
        # No more than the pipe can have held when we were called: somebody may write for ever.
        for _ in range(0, self._capacity, READ):
            try:
                chunks.append(read(self.end, READ))
            except BlockingIOError:
                break
            if len(chunks[-1]) < READ:
                break
        return self._decode(b"".join(chunks), final)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.end)
        os.close(self._kept)


class CStdio:
    """libc's own buffer of stdout.

    Into a pipe, unlike a terminal, printf gives its text only when 4 kB have come together, so the
    end of a cell has to fflush. ctypes is needed for that, and importing it costs milliseconds; but
    a cell can reach printf only by ctypes itself or by an extension module from outside the
    standard library (those that the kernel brings do not print). Only stdout is flushed: fflush of
    all files would wait for every thread that reads from one.
    """

    def __init__(self) -> None:
        self._modules = 0
        self._fflush: Callable[[], object] | None = None

    def flush(self) -> None:
        """Give what C code has printed to descriptor 1, if any can have been."""
        if self._fflush is not None:
            self._fflush()
        elif len(sys.modules) != self._modules:
            modules = len(sys.modules)
            if "ctypes" in sys.modules or any(map(_is_foreign, [*sys.modules.items()])):
                with contextlib.suppress(ImportError, OSError):  # no descriptor is left: next time
                    self._fflush = _load_fflush()
            else:
                self._modules = modules


def _is_foreign(entry: tuple[str, object]) -> bool:
    name, module = entry
    if name.startswith(("zmq.", "msgspec.")) or not isinstance(module, ModuleType):
        return False
    # Past __getattr__ and __getattribute__: a module that loads itself lazily must not do so here.
    path = object.__getattribute__(module, "__dict__").get("__file__")
    return isinstance(path, str) and path.endswith(".so") and "lib-dynload" not in path


def _load_fflush() -> Callable[[], object]:
    import ctypes

    libc = ctypes.CDLL(None)
    name = "__stdoutp" if sys.platform == "darwin" else "stdout"
    stdout = ctypes.c_void_p.in_dll(libc, name)
    return lambda: libc.fflush(stdout)


def _enlarge(pipe: int) -> int:
    """Return the bytes that a pipe holds, after asking for many."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # this user's pipes have used up their share
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    return READ  # macOS


def open_what_is_closed() -> None:
    """Give descriptors 0 to 2 to the null device where a launcher closed them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)


def replace_stdin() -> int:
    """Put the null device on descriptor 0; return the original one."""
    original = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0, inheritable=True)
    os.close(null)
    return original
