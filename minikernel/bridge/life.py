"""A bridge's life beside its kernel's: bind, wait for the kernel, pass on, end as it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.auth.spec import Setup
from minikernel.bridge.back import Back
from minikernel.bridge.front import Front, make_connection
from minikernel.bridge.passing import Bridge
from minikernel.bridge.readiness import Readiness
from minikernel.bridge.signals import ENDINGS
from minikernel.errors import ConfigError
from minikernel.transport import connection, plugins, ring_file
from minikernel.transport.log import Log
from minikernel.transport.memory import DurableMemory
from minikernel.transport.sockets import KernelSockets

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.auth.spec import Spec
    from minikernel.bridge.behind import Behind
    from minikernel.bridge.signals import Signals
    from minikernel.transport.connection import ConnectionInfo
    from minikernel.transport.loops import Source

KILLED = 128  # and the number of a signal: the exit code of what a signal has ended
TERMINAL = 2


def live(file: str, behind: Behind, signals: Signals, parent: int) -> int:
    """Be the bridge to a kernel that has been started; the exit code.

    Args:
        file: the front end's connection file.
        behind: the kernel.
        signals: to this process.
        parent: the process whose end is ours.

    Raises:
        ConfigError: the file, its scheme or an address is refused.
    """
    path = Path(file).absolute()
    info, fields = connection.read(path)
    spec = plugins.find(info.signature_scheme)
    _check(info, spec)
    log = Log(lambda: TERMINAL)
    sockets = KernelSockets(info)
    memory = None
    try:
        ports = {name: getattr(info, name) for name in connection.PORTS.values()}
        if any(fields[name] != port for name, port in ports.items()):
            connection.write(path, {**fields, **ports})
        if connection.readable_by_others(path):
            log.line("the connection file could be read by others, and so could its key")
        memory = DurableMemory(ring_file.beside(path), info.secret, log)
        setup = Setup(info.signature_scheme, info.secret, os.urandom, memory.replays)
        return Life(
            sockets,
            spec=spec,
            setup=setup,
            memory=memory,
            behind=behind,
            signals=signals,
            parent=parent,
            log=log,
        ).lead()
    finally:
        sockets.close()
        if memory is not None:
            memory.close(keep=path.exists())


def _check(info: ConnectionInfo, spec: Spec) -> None:
    """See that any front end could speak to us. Raises ConfigError."""
    if not spec.traits.signs_as_jupyter:
        raise ConfigError(
            f"a protected kernel can't speak {info.signature_scheme!r}, only hmac-..."
        )
    if not info.key:
        raise ConfigError("the connection file has an empty key: a protected kernel needs one")


class Life:
    """What the bridge looks at besides messages.

    Args:
        sockets: of the front, bound.
        spec: of the front's scheme.
        setup: for it.
        memory: of what was accepted before.
        behind: the kernel.
        signals: to this process.
        parent: the process whose end is ours.
        log: the terminal.
    """

    def __init__(
        self,
        sockets: KernelSockets,
        *,
        spec: Spec,
        setup: Setup,
        memory: DurableMemory,
        behind: Behind,
        signals: Signals,
        parent: int,
        log: Log,
    ) -> None:
        self._sockets = sockets
        self._spec, self._setup = spec, setup
        self._memory = memory
        self._behind = behind
        self._signals = signals
        self._parent = parent
        self._log = log
        self._is_wished = False  # an interrupt, before the kernel was there
        self._code: int | None = None  # of our exit
        self._has_ended = False  # the kernel
        self._is_stopped = False
        self._bridge: Bridge | None = None

    def lead(self) -> int:
        """Wait for the kernel, and pass messages on until it or we are to end; the exit code."""
        others: dict[Source, Callable[[], None]] = {
            self._behind.process.fd: self._see_end,
            self._signals.reading: self._heed,
        }
        back = Back(self._sockets, self._behind.file, self._log)
        try:
            kernel = Readiness(back, self._log)
            self._heed()
            kernel.wait(others, self._is_over)
            if kernel.is_over and not self._is_over():
                scheme = self._spec.kernel(self._setup)
                connection = make_connection(scheme, self._spec.traits, kernel.session)
                front = Front(self._sockets, connection, self._log)
                self._bridge = Bridge(self._behind, front, back, kernel, self._log)
                if self._is_wished:
                    self._bridge.interrupt()
                self._bridge.run(others, self._tick, self._is_over)
                if self._has_ended:
                    self._bridge.finish()
        finally:
            back.sockets.close()
        return self._exit_code()

    def _is_over(self) -> bool:
        return self._has_ended or self._code is not None

    def _exit_code(self) -> int:
        if self._code is not None:
            return self._code
        code = self._behind.process.poll() or 0
        told = self._bridge is not None and self._bridge.is_told_to_end
        if code < 0:
            self._log.last(f"the kernel was ended by {_name(-code)}")
            return KILLED - code
        if code or not told:
            self._log.last(f"the kernel has ended with exit code {code}")
        return code

    def _see_end(self) -> None:
        self._has_ended = self._behind.process.poll() is not None

    def _heed(self) -> None:
        """Look at the signals that have come."""
        come = self._signals.come()
        for number in ENDINGS:
            if number in come:
                self._code = KILLED + number
        if signal.SIGINT in come:
            if self._bridge is None:
                self._is_wished = True
            else:
                self._bridge.interrupt()

    def _tick(self) -> None:
        """A second is over."""
        self._memory.catch_up()
        if self._bridge is not None:
            self._bridge.subscribers.renew()
        if os.getppid() != self._parent:
            self._log.last("whoever has started this has ended, and so do we")
            self._code = 0
        self._look_at_kernel()

    def _look_at_kernel(self) -> None:
        """Say so if somebody has stopped it: to its clients it only looks slow."""
        stopped = is_stopped(self._behind.process.pid)
        if stopped != self._is_stopped:
            self._is_stopped = stopped
            said = "is stopped (SIGSTOP), and goes on with SIGCONT" if stopped else "goes on"
            self._log.last(f"the kernel {said}")


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, as far as the system tells (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - once a second
            return stat.read().rpartition(b")")[2].split()[0] in {b"T", b"t"}
    except (OSError, IndexError):
        return False


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
