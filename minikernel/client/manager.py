"""Kernel managers that start the package's own kernel, with no kernelspec installed."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.kernelspec import KernelSpec, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager, KernelManager
from jupyter_client.session import Session, new_id, new_id_bytes
from traitlets import Type, Unicode, default

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import DEFAULT, NULL, create, is_stock
from minikernel.client.asynchronous import AsyncMiniKernelClient
from minikernel.client.blocking import MiniKernelClient
from minikernel.errors import ConfigError
from minikernel.transport.connection import check_encryption, runtime_dir

if TYPE_CHECKING:
    from jupyter_client.client import KernelClient

NAME = "minikernel"


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
        create(self.scheme, SecretKey(key))
        if not is_stock(self.scheme):  # jupyter_client's manager signs shutdown_request itself
            raise ConfigError(
                f"launch() starts kernels under hmac-HASH or null; for {self.scheme!r} use"
                f" `minikernel run --scheme {self.scheme}` and connect()"
            )
        named = DEFAULT if self.scheme == NULL else self.scheme
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
        scheme = {"scheme": NULL} if self.scheme == NULL else {}
        required = {"encryption": "required"} if self.transport_encryption == "required" else {}
        return super().client(**{"session": session, **scheme, **required, **kwargs})

    async def _async_post_start_kernel(self, **kwargs: Any) -> None:  # noqa: ANN401 - as in jupyter_client
        """End the kernel if it must encrypt and can't: a provisioner need not make keys."""
        try:
            check_encryption(self.transport_encryption, encrypted=self.curve_secretkey is not None)
        except ConfigError:
            await self._async_kill_kernel()
            await self._async_cleanup_resources()
            raise
        await super()._async_post_start_kernel(**kwargs)

    async def _async_request_shutdown(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        """Ask the kernel to end, unless it encrypts otherwise: the request would wait for good."""
        self._connect_control_socket()
        events: Any = self._control_socket.get(zmq.EVENTS) if self._control_socket else 0
        if events & zmq.POLLOUT:
            await super()._async_request_shutdown(restart)


class AsyncMiniKernelManager(MiniKernelManager, AsyncKernelManager):
    """The same for asyncio."""

    client_factory = Type(klass=AsyncMiniKernelClient, config=True)

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
