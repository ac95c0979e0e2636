"""Kernel managers that start the package's own kernel, with no kernelspec installed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.kernelspec import KernelSpec, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager, KernelManager
from jupyter_client.session import Session, new_id, new_id_bytes
from jupyter_core.utils import run_sync
from traitlets import Type, Unicode, default

from minikernel.auth.jupyter_hmac import PREFIX
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import DEFAULT, NULL, check, is_stock
from minikernel.client.asynchronous import AsyncMiniKernelClient
from minikernel.client.blocking import MiniKernelClient
from minikernel.errors import ConfigError, MinikernelError
from minikernel.transport import connection
from minikernel.transport.connection import runtime_dir

if TYPE_CHECKING:
    from jupyter_client.client import KernelClient

NAME = "minikernel"
ORDER_TIMEOUT = 5.0  # seconds
SEND_TIMEOUT = 1000  # ms
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # of a file that was begun


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

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - traits
        super().__init__(**kwargs)
        self.session  # noqa: B018 - made here, so that a scheme is refused before anything starts

    @default("client_factory")
    def _client_factory_default(self) -> type[KernelClient]:
        return MiniKernelClient

    @default("session")
    def _session_default(self) -> Session:
        key = b"" if self.scheme == NULL else new_id_bytes()
        check(self.scheme, SecretKey(key))
        named = self.scheme if self.scheme.startswith(PREFIX) else DEFAULT
        return Session(parent=self, key=key, signature_scheme=named)

    @default("connection_file")
    def _connection_file_default(self) -> str:
        return str(runtime_dir() / f"minikernel-{uuid.uuid4()}.json")

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

    def client(self, **kwargs: Any) -> Any:  # noqa: ANN401 - traits; the client_factory's class
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

    def write_connection_file(self, **kwargs: Any) -> None:  # noqa: ANN401 - jupyter_client's signature
        """Likewise, with a scheme that jupyter_client's Session does not know.

        Raises:
            ConfigError: it can't be written; then there is none.
        """
        try:
            super().write_connection_file(**kwargs)
        except OSError as error:
            if error.errno in DISK:  # jupyter_client leaves what it has written so far
                Path(self.connection_file).unlink(missing_ok=True)
            text = f"connection file {self.connection_file!r}: {error.strerror}"
            raise ConfigError(text) from None
        if not is_stock(self.scheme):
            _, fields = connection.read(self.connection_file)
            connection.write(self.connection_file, {**fields, "signature_scheme": self.scheme})

    async def _async_post_start_kernel(self, **kwargs: Any) -> None:  # noqa: ANN401 - likewise
        """End the kernel if it must encrypt and can't: a provisioner need not make keys."""
        encrypted = self.curve_secretkey is not None
        try:
            connection.check_encryption(self.transport_encryption, encrypted=encrypted)
        except ConfigError:
            await self._async_kill_kernel()
            await self._async_cleanup_resources()
            raise
        await super()._async_post_start_kernel(**kwargs)

    def _connect_control_socket(self) -> None:
        if is_stock(self.scheme):
            super()._connect_control_socket()
            self._control_socket.sndtimeo = SEND_TIMEOUT  # a kernel may encrypt otherwise

    async def _async_request_shutdown(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        if not is_stock(self.scheme):
            await self._order("shutdown_request", {"restart": restart})
            if self.provisioner is not None:
                await self.provisioner.shutdown_requested(restart=restart)
        else:
            with contextlib.suppress(zmq.Again):
                await super()._async_request_shutdown(restart)

    request_shutdown = run_sync(_async_request_shutdown)

    async def _async_interrupt_kernel(self) -> None:
        spec = self.kernel_spec
        if is_stock(self.scheme) or spec is None or spec.interrupt_mode != "message":
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
    interrupt_kernel: Any = MiniKernelManager._async_interrupt_kernel  # noqa: SLF001 - likewise

    @default("client_factory")
    def _client_factory_default(self) -> type[KernelClient]:
        return AsyncMiniKernelClient


def own_kernel_spec(scheme: str = DEFAULT) -> KernelSpec:
    """The kernelspec of this package's kernel under this interpreter, in memory only."""
    unsigned = ["--scheme", NULL] if scheme == NULL else []
    return KernelSpec(
        name=NAME,
        display_name="Python (minikernel)",
        language="python",
        argv=[sys.executable, "-m", "minikernel", "run", "-f", "{connection_file}", *unsigned],
        interrupt_mode="signal",
        metadata={"supported_encryption": ["curve"]},
    )
