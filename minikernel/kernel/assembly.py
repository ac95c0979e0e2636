"""How a kernel is put together: from its connection file and options, its sockets bound."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from minikernel.auth.registry import DEFAULT
from minikernel.auth.spec import Setup
from minikernel.errors import ConfigError
from minikernel.kernel.chores import Chores
from minikernel.kernel.comms import Comms
from minikernel.kernel.connection import make_connection
from minikernel.kernel.control import Control, Waker
from minikernel.kernel.frontend import Frontend
from minikernel.kernel.handlers import Parts, describe
from minikernel.kernel.interrupts import Gate
from minikernel.kernel.options import (
    Options,
    check,
    make_engine,
    scheme_name,
)
from minikernel.kernel.port import Port
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.questions import Questions
from minikernel.kernel.refusals import Refusals
from minikernel.kernel.request import Requests
from minikernel.kernel.serving import Serving
from minikernel.kernel.shell import Shell
from minikernel.kernel.streams import Streams
from minikernel.transport import connection, plugins, ring_file
from minikernel.transport.log import Log
from minikernel.transport.memory import DurableMemory
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from pathlib import Path


class Life(Protocol):
    """What the parts of a kernel ask of its life."""

    def end(self) -> None:
        """Have the kernel end."""

    def tick(self) -> None:
        """A second is over."""

    def failed(self, problem: BaseException) -> None:
        """A thread of the kernel has ended with this."""


class Assembly:
    """The parts of a kernel.

    Args:
        path: of the connection file.
        options: how to run.
        life: of the kernel.

    Raises:
        ConfigError: the file, the scheme or an address is refused.
    """

    def __init__(self, path: Path, options: Options, life: Life) -> None:
        info, fields = connection.read(path)
        connection.check_encryption(options.encryption, encrypted=bool(info.curve))
        name = scheme_name(info, options)
        spec = plugins.find(name)
        check(name, spec.traits, options)
        setup = Setup(name, info.secret, os.urandom, None, None, options.sessions, options.refuse)
        spec.kernel(setup)  # refuse a wrong key before binding
        exposed = connection.readable_by_others(path)
        if exposed and not spec.traits.stock:
            raise ConfigError(f"connection file {str(path)!r}: others can read it, chmod 600 it")
        self._path = path
        self._life = life
        self.memory: DurableMemory | None = None
        self.traits = spec.traits
        self.sockets = KernelSockets(
            info, clients=options.curve_clients, handover=not spec.traits.sessions
        )
        try:
            ports = {name: getattr(info, name) for name in connection.PORTS.values()}
            if any(fields[name] != port for name, port in ports.items()):
                connection.write(path, {**fields, **ports})
            self.requests = Requests()
            self.gate = Gate(self.sockets.iopub_lock, self.requests)
            self.waker = Waker()
            self.streams = Streams(
                lambda *said: self.publisher.stream(*said),  # noqa: PLW0108 - made later
                requests=self.requests,
                sending=self.gate.sending,
                done=self.gate.resume,
                failed=life.failed,
            )
            self.log = Log(lambda: self.streams.terminal)
            if options.guards and spec.traits.replay_memory:
                self.memory = DurableMemory(ring_file.beside(path), info.secret, self.log)
                setup = setup._replace(memory=self.memory.replays)
            self.scheme = spec.kernel(setup)
            self.connection = make_connection(self.scheme, spec.traits, info.secret, options)
            self._wire_up(ports, options)
        except BaseException:
            self.sockets.abandon()
            raise
        if not self.sockets.numbers_at_random:
            self.log.line("this Python has no _ctypes: libzmq's numbers of peers can be foreseen")
        elif spec.traits.weak:
            self.log.line(f"{name} rests on a broken hash; {DEFAULT} is the usual one")
        elif exposed:
            self.log.line("the connection file could be read by others, and so could its key")

    def _wire_up(self, ports: dict[str, int], options: Options) -> None:
        self.publisher = Publisher(
            self.sockets,
            self.connection,
            self.requests,
            self.gate,
            greets=not self.traits.sessions,
            on_more=self.waker.wake,
        )
        refusals = Refusals(self.publisher, self.log)
        shell, control, stdin = (
            Port(socket, self.connection, channel, refusals)
            for socket, channel in (
                (self.sockets.shell, Channel.SHELL),
                (self.sockets.control, Channel.CONTROL),
                (self.sockets.stdin, Channel.STDIN),
            )
        )
        self.questions = Questions(stdin, self.requests, self.waker.wake)
        flush = self.streams.flush
        self.engine = make_engine(options, Frontend(self.publisher, flush, self.questions))
        self.chores = Chores(self.engine, self.log, self.memory, self._path.parent)
        parts = Parts(
            engine=self.engine,
            info=describe(self.engine.info),
            ports=ports,
            connection=self.connection,
            descriptors=self.chores.descriptors,
            requests=self.requests,
            publisher=self.publisher,
            streams=self.streams,
            comms=Comms(self.publisher, self.requests, flush),
            questions=self.questions,
            interrupt=self.gate.interrupt,
            stop=self._life.end,
        )
        self.control = Control(
            control,
            stdin,
            self.sockets.subscriptions,
            self.waker,
            parts,
            on_wake=self.gate.caught,
            on_tick=self._life.tick,
        )
        self.gate.close_while(self.streams.is_publishing, lambda: shell.sending)
        requests = Shell(shell, parts, done=self.gate.keep_signals)
        self.serving = Serving(requests, self.requests, self.gate)
