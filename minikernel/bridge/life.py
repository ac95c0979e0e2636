"""A bridge's life beside its kernel's: bind, wait for the kernel, pass on, end as it ends."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.auth.spec import Setup
from minikernel.bridge.back import Back
from minikernel.bridge.front import Front, make_connection
from minikernel.bridge.passing import Bridge
from minikernel.bridge.privacy import Privacy
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
    from minikernel.bridge.signals import Signals
    from minikernel.bridge.starting import Started
    from minikernel.transport.connection import ConnectionInfo
    from minikernel.transport.loops import Source

KILLED = 128  # and the number of a signal: the exit code of what a signal has ended
REFUSED = 2  # exit code
TERMINAL = 2  # descriptor
LOOK = 30  # seconds between two looks for ports, unless somebody debugs


class Life:
    """A bridge's life.

    Args:
        started: the kernel.
        signals: to this process.
        parent: the process whose end is ours.
        require_private: whether a kernel is refused that others on this machine can reach.
    """

    def __init__(
        self, started: Started, signals: Signals, parent: int, *, require_private: bool
    ) -> None:
        self._kernel = started.kernel
        self._started = started
        self._signals = signals
        self._parent = parent
        self._require_private = require_private
        self._privacy = Privacy(started.kernel.reaper)
        self._seconds = 0  # since the kernel was there
        self._log = Log(lambda: TERMINAL)
        self._code: int | None = None  # of our exit
        self._has_ended = False  # the kernel
        self._is_stopped = False
        self._bridge: Bridge | None = None

    def lead(self, file: str) -> int:
        """Be the bridge; the exit code.

        Args:
            file: the front end's connection file.

        Raises:
            ConfigError: the file, its scheme or an address is refused.
        """
        path = Path(file).absolute()
        info, fields = connection.read(path)
        spec = plugins.find(info.signature_scheme)
        _check(info, spec)
        sockets, memory = KernelSockets(info), None
        try:
            ports = {name: getattr(info, name) for name in connection.PORTS.values()}
            if any(fields[name] != port for name, port in ports.items()):
                connection.write(path, {**fields, **ports})
            if connection.readable_by_others(path):
                self._log.line("the connection file could be read by others, and so could its key")
            memory = DurableMemory(ring_file.beside(path), info.secret, self._log)
            setup = Setup(info.signature_scheme, info.secret, os.urandom, memory.replays)
            self._pass(sockets, spec, setup, memory)
        finally:
            sockets.close()
            if memory is not None:
                memory.close(keep=path.exists())
        return self._exit_code()

    def _pass(
        self, sockets: KernelSockets, spec: Spec, setup: Setup, memory: DurableMemory
    ) -> None:
        """Wait for the kernel, and pass messages on until it or we are to end."""
        others: dict[Source, Callable[[], None]] = {
            self._kernel.fd: self._see_end,
            self._signals.reading: self._heed,
        }
        back = Back(sockets, self._started.connection_file, self._log)
        try:
            kernel = Readiness(back, self._log)
            kernel.wait(others, self._tick, self._is_over)
            if self._is_over():
                return
            self._look_for_ports()
            if self._is_over():
                return
            sides = make_connection(spec.kernel(setup), spec.traits, kernel.session)
            front = Front(sockets, sides, self._log)
            self._bridge = Bridge(
                self._started,
                front,
                back,
                kernel,
                self._log,
                debugs=not self._require_private,
            )
            self._bridge.run(others, partial(self._tick, memory), self._is_over)
            if self._has_ended:
                self._bridge.finish()
        finally:
            back.sockets.close()

    def _is_over(self) -> bool:
        return self._has_ended or self._code is not None

    def _exit_code(self) -> int:
        if self._code is not None:
            return self._code
        code = self._kernel.poll() or 0
        told = self._bridge is not None and self._bridge.is_told_to_end
        if code < 0:
            self._log.last(f"the kernel was ended by {_name(-code)}")
            return KILLED - code
        if code or not told:
            self._log.last(f"the kernel has ended with exit code {code}")
        return code

    def _see_end(self) -> None:
        self._has_ended = self._kernel.poll() is not None

    def _heed(self) -> None:
        """Look at the signals that have come."""
        come = self._signals.come()
        for number in ENDINGS:
            if number in come:
                self._code = KILLED + number
        # Before the kernel is there nothing runs that could be interrupted: a signal that came by
        # then would hit its start, or the first request.
        if signal.SIGINT in come and self._bridge is not None:
            self._bridge.interrupt()

    def _tick(self, memory: DurableMemory | None = None) -> None:
        """A second is over."""
        if memory is not None:
            memory.catch_up()
        if self._bridge is not None:
            self._bridge.subscribers.renew()
            self._seconds += 1
            if self._bridge.has_debugged or self._seconds % LOOK == 0:
                self._bridge.has_debugged = False
                self._look_for_ports()
        if os.getppid() != self._parent:
            self._log.last("whoever has started this has ended, and so does the kernel")
            self._code = 0
        self._look_at_kernel()

    def _look_for_ports(self) -> None:
        """Say what others on this machine can reach of the kernel, or end it for that."""
        said = self._privacy.look()
        if said is None:
            return
        if self._require_private:
            self._code = REFUSED
            said += "; refused, as --require-private asks"
        self._log.last(said)

    def _look_at_kernel(self) -> None:
        """Say so if somebody has stopped it: to its clients it only looks slow."""
        stopped = is_stopped(self._kernel.pid)
        if stopped != self._is_stopped:
            self._is_stopped = stopped
            said = "is stopped (SIGSTOP), and goes on with SIGCONT" if stopped else "goes on"
            self._log.last(f"the kernel {said}")


def _check(info: ConnectionInfo, spec: Spec) -> None:
    """See that any front end could speak to us. Raises ConfigError."""
    if not spec.traits.signs_as_jupyter:
        raise ConfigError(
            f"a protected kernel can't speak {info.signature_scheme!r}, only hmac-..."
        )
    if not info.key:
        raise ConfigError("the connection file has an empty key: a protected kernel needs one")
    spec.kernel(Setup(info.signature_scheme, info.secret, os.urandom))  # knows its name


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, as far as the system tells (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in {b"T", b"t"}
    except (OSError, IndexError):
        return False


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
