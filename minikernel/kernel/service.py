"""A kernel's life: start, serve, end."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from minikernel.auth import registry
from minikernel.auth.jupyter_hmac import kernel_session_id
from minikernel.errors import ConfigError
from minikernel.kernel import signals
from minikernel.kernel.chores import Chores
from minikernel.kernel.comms import Comms
from minikernel.kernel.control import Control
from minikernel.kernel.dispatch import Dispatch, Effect
from minikernel.kernel.frontend import Frontend
from minikernel.kernel.memory import DurableMemory
from minikernel.kernel.options import (
    Options,
    make_engine,
    make_scheme,
    parent,
    remembers,
    scheme_name,
)
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.refusals import Log, Refusals
from minikernel.kernel.shell import Shell
from minikernel.kernel.streams import Streams
from minikernel.protocol.end import BARE, ChannelEnd, Guards
from minikernel.protocol.heartbeat import HeartbeatEnd
from minikernel.transport import connection, ring_file
from minikernel.transport.loops import start_thread
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel, Role
from minikernel.wire.content import REQUESTS, STARTING
from minikernel.wire.message import EMPTY, HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import FrameType

    from minikernel.auth.channel_hmac import KernelChannelHmac
    from minikernel.auth.keys import SecretKey
    from minikernel.auth.scheme import Scheme

GRACE = 2.0  # seconds that a running cell gets to end when the kernel is told to
NUDGE = 0.05  # seconds between two signals to the main thread meanwhile
CHANNELS = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)


class Stop(BaseException):
    """Raised in the main thread by SIGTERM's handler: the kernel is to end."""


def run(options: Options) -> int:
    """Run a kernel until it is told to end; the exit code.

    Raises:
        ConfigError: it can't start; the text says what to mend.
    """
    path, made = _connection_file(options)
    remove = partial(path.unlink, missing_ok=True) if made else _keep
    try:
        kernel = Kernel(path, options, remove)
    except BaseException:
        remove()
        raise
    try:
        with contextlib.suppress(Stop):
            kernel.catch_signals()
            if made:
                print(path, flush=True)  # noqa: T201 - what `run` without -f is asked for
                if sys.stderr.isatty():  # where Ctrl-C is for the running cell
                    kernel.log.line(f"`kill {os.getpid()}` ends the kernel, or a client's shutdown")
            kernel.serve()
    finally:  # also after a failure, which is to be seen on the terminal, not to go into our pipe
        kernel.close()
    os._exit(0)  # user threads that never end must not keep the process


def _keep() -> None:
    """Leave the connection file to whoever made it."""


def _connection_file(options: Options) -> tuple[Path, bool]:
    """The connection file, and whether we made it."""
    if options.connection_file is not None:
        return Path(options.connection_file).absolute(), False
    scheme = options.scheme or registry.DEFAULT
    key = "" if scheme == registry.NULL else os.urandom(32).hex()
    fields = connection.new_fields(
        transport=options.transport,
        ip=options.ip,
        signature_scheme=registry.DEFAULT if scheme == registry.NULL else scheme,
        key=key,
    )
    if options.encryption in {"auto", "required"}:
        from minikernel.transport.curve import new_pair  # noqa: PLC0415 - if it is asked for

        fields |= new_pair()
    path = connection.runtime_dir() / f"kernel-{os.urandom(8).hex()}.json"
    if options.transport == "ipc":
        fields["ip"] = str(path.with_suffix("")) + "-ipc"
    connection.write(path, fields)
    return path, True


def _clients(name: str, key: SecretKey, options: Options) -> KernelChannelHmac | None:
    if name not in registry.WITH_SESSIONS:
        return None
    from minikernel.auth.channel_hmac import KernelChannelHmac  # noqa: PLC0415 - few kernels need it
    from minikernel.auth.channel_hmac_kernel import KernelEnd  # noqa: PLC0415 - likewise
    from minikernel.auth.channel_hmac_sessions import Places  # noqa: PLC0415 - likewise

    places = Places(sessions=options.sessions, invited=min(16, options.sessions))
    end = KernelEnd(key, entropy=os.urandom, places=places, refuse=options.refuse)
    clients = KernelChannelHmac(end, time.monotonic)
    os.register_at_fork(after_in_child=clients.forget)
    return clients


def _now() -> bytes:
    return msgspec.json.encode(datetime.now(timezone.utc))


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
        info, fields = connection.read(path)
        connection.check_encryption(options.encryption, encrypted=bool(info.curve))
        name = scheme_name(info, options)
        registry.check(name, info.secret)  # refuse a wrong scheme or key before binding
        exposed = connection.readable_by_others(path)
        if exposed and not registry.is_stock(name):
            raise ConfigError(f"connection file {str(path)!r}: others can read it, chmod 600 it")
        self._remove_connection_file = remove
        self._memory: DurableMemory | None = None
        self._stopping = False
        self._leaving = threading.Event()
        self._control_thread: threading.Thread | None = None
        self._parent = parent()
        self._pid = os.getpid()
        self._sockets = KernelSockets(
            info, clients=options.curve_clients, handover=name not in registry.WITH_SESSIONS
        )
        try:
            ports = {name: getattr(info, name) for name in connection.PORTS.values()}
            if any(fields[name] != port for name, port in ports.items()):
                connection.write(path, {**fields, **ports})
            self._streams = Streams(
                lambda name, text: self._publisher.stream(name, text),  # noqa: PLW0108 - made later
                sending=lambda: self._publisher.sending(),  # noqa: PLW0108 - likewise
                done=lambda: self._publisher.resume(),  # noqa: PLW0108 - likewise
            )
            self.log = Log(lambda: self._streams.terminal)
            if remembers(name, options):
                self._memory = DurableMemory(ring_file.beside(path), info.secret, self.log)
            self._clients = _clients(name, info.secret, options)
            replays = None if self._memory is None else self._memory.replays
            scheme = self._clients or make_scheme(name, info.secret, replays)
            self._wire_up(self._make_ends(info, scheme, options), ports, options, scheme.gaps)
        except BaseException:
            self._sockets.abandon()
            raise
        self._chores = Chores(self._engine, self.log, self._memory, path.parent)
        if name in registry.WEAK:
            self.log.line(f"{name} rests on a broken hash; hmac-sha256 is the usual one")
        elif exposed:
            self.log.line("the connection file could be read by others, and so could its key")

    def _make_ends(
        self, info: connection.ConnectionInfo, scheme: Scheme, options: Options
    ) -> dict[Channel, ChannelEnd]:
        stock = info.key and registry.is_stock(scheme.name)
        session = kernel_session_id(info.secret) if stock else os.urandom(16).hex()
        guards, run = BARE, os.urandom(4).hex()
        if options.guards:
            guards = Guards(own_session=session, max_age=options.max_age, run=run)
        if self._clients is not None:  # it covers buffers, and a direction has keys of its own
            guards = Guards(buffers=False, max_age=options.max_age)
        headers = HeaderFactory(session, run, os.environ.get("USER", ""), _now)
        return {
            channel: ChannelEnd(
                channel,
                Role.KERNEL,
                scheme,
                headers,
                guards=guards,
                contents=REQUESTS,
                now=time.time,
            )
            for channel in CHANNELS
        }

    def _wire_up(
        self,
        ends: dict[Channel, ChannelEnd],
        ports: dict[str, int],
        options: Options,
        gaps: Mapping[Channel, int],
    ) -> None:
        self._publisher = Publisher(
            self._sockets,
            ends[Channel.IOPUB],
            greets=self._clients is None,
            on_deferred=lambda: self._engine.interrupted(),  # noqa: PLW0108 - made later
            on_more=lambda: self._control.wake(),  # noqa: PLW0108 - likewise
        )
        self._comms = Comms(self._publisher)
        self._engine = make_engine(
            options, Frontend(self._publisher, self._streams.flush, self._ask)
        )
        self._heartbeat = None if self._clients is None else HeartbeatEnd(self._clients.pong)
        counting: list[ChannelEnd | HeartbeatEnd] = [*ends.values()]
        counting += [self._heartbeat] if self._heartbeat is not None else []
        dispatch = Dispatch(self._engine.info, ports, counting, gaps)
        refusals = Refusals(self._publisher, self.log)
        self._control = Control(
            self._sockets,
            ends[Channel.CONTROL],
            ends[Channel.STDIN],
            clients=self._clients,
            dispatch=dispatch,
            publisher=self._publisher,
            refusals=refusals,
            effects=self._cause,
            on_wake=self._woken,
            on_tick=self._tick,
        )
        self._shell = Shell(
            self._sockets,
            ends[Channel.SHELL],
            self._engine,
            dispatch=dispatch,
            publisher=self._publisher,
            refusals=refusals,
            streams=self._streams,
            comms=self._comms,
            effects=self._cause,
        )

    def serve(self) -> None:
        """Answer requests until told to end."""
        self._streams.start()
        self._sockets.serve(None if self._heartbeat is None else self._heartbeat.answer)
        self._control_thread = start_thread("minikernel control", self._control.run)
        self._publisher.welcome()
        self._publisher.status(STARTING, EMPTY)
        signals.release()
        self._serve_plainly()

    def catch_signals(self) -> None:
        """SIGINT shall end a cell, SIGTERM and SIGHUP raise Stop, once the kernel serves."""
        signals.hold()
        self._main = threading.get_ident()
        signal.set_wakeup_fd(self._control.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self._on_sigint)
        for ending in signals.heeded_endings():
            signal.signal(ending, self._on_sigterm)
        signal.signal(signals.NUDGE, lambda *_: None)
        signals.hold_over_forks()

    def _serve_plainly(self) -> None:
        """Without an event loop: an asyncio hop costs more than a whole message."""
        while not self._stopping:
            request = self._shell.handle(self._shell.wait())
            try:
                request.send(None)
            except StopIteration:
                continue
            self._serve_in_loop(request)  # it yielded: it needs a loop (interpreter.base)

    def _serve_in_loop(self, first: Coroutine[None, None, None]) -> None:
        """From now on all requests run inside one asyncio loop, and it waits for shell."""
        try:
            import asyncio  # noqa: PLC0415 - not before somebody needs it

            loop = asyncio.new_event_loop()
        except (ImportError, OSError) as problem:  # no descriptor is left: the request says so
            with contextlib.suppress(StopIteration):
                first.throw(problem)
            return
        asyncio.set_event_loop(loop)
        serving = loop.create_task(self._serve_from(first))
        while not serving.done():
            # An interrupt, or exit(), in a task's step ends that task and comes out here as well.
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                loop.run_until_complete(serving)

    async def _serve_from(self, first: Coroutine[None, None, None]) -> None:
        import asyncio  # noqa: PLC0415 - likewise

        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._shell.descriptor, readable.set)
        await loop.create_task(first)  # it has begun, only a task can go on with it
        while not self._stopping:
            # ZeroMQ signals on the descriptor once, not as long as there are messages.
            readable.clear()
            while (frames := self._shell.next()) is not None and not self._stopping:
                await self._shell.handle(frames)
                await asyncio.sleep(0)  # the user's tasks have their turn between cells
            await readable.wait()

    def close(self) -> None:
        """Run exit handlers, send what is pending, and leave nothing behind."""
        self._left = time.monotonic()
        self._leaving.set()
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit, which follows, would skip them
        self._engine.close()
        self._streams.stop()
        self._control.end()
        if self._control_thread is not None:
            self._control_thread.join(GRACE)
        self._remove_connection_file()
        self._sockets.close()
        if self._memory is not None:
            self._memory.close()

    def _cause(self, effect: Effect) -> None:
        if effect is Effect.INTERRUPT:
            leads = os.getpgrp() == self._pid
            (os.killpg if leads else os.kill)(self._pid, signal.SIGINT)
        elif effect is Effect.STOP:
            self._stopping = True
            self._control.wake()

    def _on_sigint(self, _signal: int, _frame: FrameType | None) -> None:
        if self._publisher.sending() or self._streams.publishing():
            self._publisher.defer_interrupt()
        else:
            self._engine.interrupted()

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._leaving.is_set():
            if time.monotonic() > self._left + GRACE:  # an exit handler hangs
                self._end_hard()
        elif not self._publisher.sending() and not self._shell.sending:
            raise Stop  # else the control thread asks again

    def _woken(self, caught: bytes) -> None:
        """Get the main thread out of whatever it does, if the kernel is to end.

        Again and again: a signal just before a system call that blocks is not noticed by it.
        """
        if signal.SIGINT in caught:
            self._leaving.wait(NUDGE)
            signal.pthread_kill(self._main, signals.NUDGE)
        self._stopping = self._stopping or any(ending in caught for ending in signals.ENDINGS)
        deadline = time.monotonic() + GRACE
        while self._stopping and not self._leaving.wait(NUDGE):
            if time.monotonic() > deadline:
                self.log.line("the running cell did not end")
                self._end_hard()
            signal.pthread_kill(self._main, signal.SIGTERM)

    def _end_hard(self) -> NoReturn:
        self._remove_connection_file()
        self._sockets.remove_files()
        os._exit(1)

    def _tick(self) -> None:
        self._chores.tick()
        if self._clients is not None and not self._shell.busy:
            self._clients.expire()
        if self._parent is not None and os.getppid() != self._parent:
            self._cause(Effect.STOP)

    def _ask(self, prompt: str, *, password: bool) -> str:
        if self._publisher.forked:
            raise EOFError("a forked child can't ask for input")
        if self._shell.asker is None:
            raise NotImplementedError("this request does not allow input()")
        return self._control.ask(self._shell.asker, prompt, password=password)
