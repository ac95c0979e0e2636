"""Kernel managers that start the package's own kernel, with no kernelspec installed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import zmq
from jupyter_client.kernelspec import KernelSpec, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager, KernelManager
from jupyter_client.session import Session, new_id, new_id_bytes
from jupyter_core.utils import run_sync
from traitlets import Type, Unicode, default, validate

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import DEFAULT, canonical, check
from minikernel.client.asynchronous import AsyncMiniKernelClient
from minikernel.client.blocking import MiniKernelClient
from minikernel.client.waiting import DIED
from minikernel.errors import ConfigError, KernelDied, MinikernelError
from minikernel.transport import connection, plugins
from minikernel.transport.connection import runtime_dir
from minikernel.transport.ring_file import beside, remove_unlocked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_client.client import KernelClient
    from jupyter_client.connect import KernelConnectionInfo

    from minikernel.client.conversation import Option

NAME = "minikernel"
ORDER_TIMEOUT = 5.0  # seconds
SOON = 0.002  # seconds after which to look first whether a kernel has started, or ended
SEND_TIMEOUT = 1000  # ms
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # of a file that was begun


OfFactory: TypeAlias = Any  # a client, of the class that client_factory says


class MiniKernelManager(KernelManager):
    """Starts `python -m minikernel run` with this interpreter; other kernels by their kernelspec.

    Raises:
        ConfigError: the scheme is unknown.
    """

    kernel_name = Unicode(NAME)
    scheme = Unicode(
        DEFAULT,
        config=True,
        help="""The signature scheme of the kernel's connection file. "null": no authentication.""",
    )
    client_factory = Type(klass=MiniKernelClient, config=True)

    @validate("scheme")
    def _canonical_scheme(self, proposal: Mapping[str, Any]) -> str:
        return canonical(str(proposal["value"]))

    def __init__(self, **kwargs: Option) -> None:
        super().__init__(**kwargs)
        self._process = os.getpid()
        self._is_spent = False
        self._written = 0  # the inode of the connection file as it was written here
        self.session  # noqa: B018 - made here, so that a scheme is refused before anything starts

    @default("client_factory")
    def _client_factory_default(self) -> type[KernelClient]:
        return MiniKernelClient

    @default("session")
    def _session_default(self) -> Session:
        spec = plugins.find(self.scheme)
        key = b"" if spec.traits.keyless else new_id_bytes()
        check(self.scheme, SecretKey(key))
        named = self.scheme if spec.traits.signs_as_jupyter else DEFAULT
        return Session(parent=self, key=key, signature_scheme=named)

    @property
    def _is_stock(self) -> bool:
        return plugins.find(self.scheme).traits.stock

    @default("connection_file")
    def _connection_file_default(self) -> str:
        return str(runtime_dir() / f"minikernel-{uuid.uuid4()}.json")

    @default("cache_ports")
    def _cache_ports_default(self) -> bool:
        return self.transport == "tcp" and not self._lets_kernel_choose

    @property
    def _lets_kernel_choose(self) -> bool:
        """Whether the kernel takes ports 0 and writes back those that it has bound.

        Ports that are chosen here could be somebody else's by the time that it binds them.
        """
        return self.transport == "tcp" and self.kernel_name == NAME

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """How to start the kernel."""
        if self.kernel_name == NAME and self._kernel_spec is None:
            self._kernel_spec = own_kernel_spec(self.scheme)
        return super().kernel_spec

    def check_kernel_spec(self) -> None:
        """See that there is something to start.

        Raises:
            ConfigError: no kernelspec of this name is installed, or it does not promise the
                encryption that is required.
        """
        try:
            self.kernel_spec  # noqa: B018 - looks it up
        except NoSuchKernel:
            raise ConfigError(f"no kernelspec named {self.kernel_name!r} is installed") from None
        if self.transport_encryption == "required" and not self._kernel_supports_curve_encryption():
            raise ConfigError(f"the kernelspec of {self.kernel_name!r} does not promise encryption")

    def client(self, **kwargs: Option) -> OfFactory:
        """A client for the kernel, with a session of its own.

        jupyter_client's clients share the manager's session id, and so the identity by which the
        kernel routes replies: of two, one would get the other's.
        """
        session = self.session.clone()
        session.session = new_id()
        required = {"encryption": "required"} if self.transport_encryption == "required" else {}
        options = {"session": session, "scheme": self.scheme, **required, **kwargs}
        client: Any = super().client(**options)
        client.named_scheme = self.scheme
        return client

    def write_connection_file(self, **kwargs: Option) -> None:
        """Write the connection file, also for a scheme that jupyter_client's Session does not know.

        Raises:
            ConfigError: it can't be written; then there is none.
        """
        if self._is_spent and self.session.key:
            self.session.key = new_id_bytes()
        self._is_spent = False
        ports = self._ports()
        try:
            super().write_connection_file(**kwargs)
        except OSError as error:
            if error.errno in DISK:  # jupyter_client leaves what it has written so far
                Path(self.connection_file).unlink(missing_ok=True)
            text = f"connection file {self.connection_file!r}: {error.strerror}"
            raise ConfigError(text) from None
        named: dict[str, Any] = {} if self._is_stock else {"signature_scheme": self.scheme}
        if self._lets_kernel_choose and 0 in ports.values():
            named |= ports
            self._take_ports(ports)
        if named:
            _, fields = connection.read(self.connection_file)
            connection.write(self.connection_file, {**fields, **named})
            self._written = self._inode()

    def _ports(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in connection.PORTS.values()}

    def _take_ports(self, ports: Mapping[str, int]) -> None:
        for name, port in ports.items():
            setattr(self, name, port)

    def cleanup_connection_file(self) -> None:
        """Remove it, unless in a forked child: the kernel is its parent's.

        With it goes the replay memory: this key is not used again.
        """
        if os.getpid() == self._process:
            if self._connection_file_written:
                self._is_spent = True
                with contextlib.suppress(OSError):
                    remove_unlocked(beside(Path(self.connection_file)))
            super().cleanup_connection_file()

    def cleanup_ipc_files(self) -> None:
        """Remove the files of ipc sockets, in the process that made them."""
        if os.getpid() == self._process:
            super().cleanup_ipc_files()

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        """Wait until the kernel has ended; jupyter_client looks every 0.1 s only."""
        pause = SOON
        while await self._async_is_alive():
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, pollinterval)

    def _reconcile_connection_info(self, info: KernelConnectionInfo) -> None:
        """Leave the file alone, unless the provisioner says something else than it.

        The kernel may be reading it, or have written its ports there. jupyter_client would put
        another in its place, as it knows neither our schemes nor that a kernel chooses its ports.
        """
        known = self._equal_connections(info, self.get_connection_info())
        if not (known and self._connection_file_written):
            super()._reconcile_connection_info(info)

    async def _async_post_start_kernel(self, **kwargs: Option) -> None:
        """Learn its ports; end it if it must encrypt and can't: a provisioner need not make keys.

        Raises:
            ConfigError: it can't encrypt.
            KernelDied: it has ended already.
        """
        encrypted = self.curve_secretkey is not None
        try:
            connection.check_encryption(self.transport_encryption, encrypted=encrypted)
            await self._learn_ports()
        except BaseException:
            await self._async_kill_kernel()
            await self._async_cleanup_resources()
            raise
        await super()._async_post_start_kernel(**kwargs)

    async def _learn_ports(self) -> None:
        while self._lets_kernel_choose and 0 in self._ports().values():
            await asyncio.sleep(SOON)
            lives = await self._async_is_alive()
            if self._inode() != self._written:  # the kernel puts another file in its place
                info, _ = connection.read(self.connection_file)
                self._take_ports({name: getattr(info, name) for name in connection.PORTS.values()})
            if not lives and 0 in self._ports().values():
                raise KernelDied(DIED)

    def _inode(self) -> int:
        try:
            return Path(self.connection_file).stat().st_ino
        except OSError:
            return 0

    def _connect_control_socket(self) -> None:
        if self._is_stock:
            super()._connect_control_socket()
            self._control_socket.sndtimeo = SEND_TIMEOUT  # a kernel may encrypt otherwise

    async def _async_request_shutdown(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - jupyter_client's
        if not self._is_stock:
            await self._order("shutdown_request", {"restart": restart})
            if self.provisioner is not None:
                await self.provisioner.shutdown_requested(restart=restart)
        else:
            with contextlib.suppress(zmq.Again):
                await super()._async_request_shutdown(restart)

    request_shutdown = run_sync(_async_request_shutdown)

    async def _async_interrupt_kernel(self) -> None:
        spec = self.kernel_spec
        if self._is_stock or spec is None or spec.interrupt_mode != "message":
            await super()._async_interrupt_kernel()
        else:
            await self._order("interrupt_request", {})

    interrupt_kernel = run_sync(_async_interrupt_kernel)

    async def _order(self, msg_type: str, content: dict[str, Any]) -> None:
        """Ask the kernel for something over a control channel of our own.

        jupyter_client's would sign the message as Jupyter does. Who gets no answer goes on: there
        are signals.
        """
        if self.provisioner is None or await self.provisioner.poll() is not None:
            return
        with contextlib.suppress(MinikernelError, TimeoutError):
            await asyncio.to_thread(self._order_and_wait, msg_type, content)

    def _order_and_wait(self, msg_type: str, content: dict[str, Any]) -> None:
        with MiniKernelClient(connection_file=self.connection_file, scheme=self.scheme) as client:
            client.load_connection_file()
            client.request_control(msg_type, content, timeout=ORDER_TIMEOUT)


class AsyncMiniKernelManager(MiniKernelManager, AsyncKernelManager):
    """The same for asyncio."""

    client_factory = Type(klass=AsyncMiniKernelClient, config=True)
    request_shutdown: Any = MiniKernelManager._async_request_shutdown  # noqa: SLF001 - as AsyncKernelManager's
    interrupt_kernel: Any = MiniKernelManager._async_interrupt_kernel  # noqa: SLF001 - as above

    @default("client_factory")
    def _client_factory_default(self) -> type[KernelClient]:
        return AsyncMiniKernelClient


_COMMAND = ["-m", "minikernel"]
if sys.version_info < (3, 11):  # without PYTHONSAFEPATH `-m` itself imports from there
    _COMMAND = [str(Path(__file__).parents[1] / "__main__.py")]


def own_kernel_spec(scheme: str = DEFAULT) -> KernelSpec:
    """The kernelspec of this package's kernel under this interpreter, in memory only."""
    unsigned = ["--scheme", scheme] if plugins.find(scheme).traits.keyless else []
    return KernelSpec(
        name=NAME,
        display_name="Python (minikernel)",
        language="python",
        argv=[sys.executable, *_COMMAND, "run", "-f", "{connection_file}", *unsigned],
        env={"PYTHONSAFEPATH": "1"},  # nothing is imported from the working directory
        interrupt_mode="signal",
        metadata={"supported_encryption": ["curve"]},
    )
