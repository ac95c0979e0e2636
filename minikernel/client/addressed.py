"""Where a client finds its kernel, and which keys it uses there."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.client import KernelClient
from jupyter_client.connect import channel_socket_types
from jupyter_client.manager import KernelManager
from traitlets import Unicode

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import DEFAULT
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.spec import Setup
from minikernel.client.channels import LINGER
from minikernel.client.credentials import chosen_scheme, invitation_in, unanswered
from minikernel.client.ledger import Ledger
from minikernel.client.parting import forget_in_child
from minikernel.client.verifier import Verifier
from minikernel.transport import connection, plugins
from minikernel.transport.curve import ClientKeys, client_keys
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_client.connect import KernelConnectionInfo

    from minikernel.auth.spec import Invitation
    from minikernel.client.verifier import Msg

IOPUB_QUEUE = 10_000  # messages that wait here while the caller does something else


class Addressed(KernelClient):
    """A client that knows the addresses of a kernel, its key, and the scheme it must have."""

    scheme = Unicode(
        None,
        allow_none=True,
        config=True,
        help="""The signature scheme that the connection file must name; any if None.
        Unauthenticated messages are accepted only if this is "null".""",
    )

    encryption = Unicode(
        None,
        allow_none=True,
        config=True,
        help="""Whether the connection file must have CURVE keys: "required"; must not: "disabled";
        as it says: "auto" or None.""",
    )

    _curve: ClientKeys | None = None  # a pair of our own; else the kernel's (JEP 145), if any
    _verifier: Verifier | None = None
    named_scheme: str | None = None  # by the connection file, if not to jupyter_client's Session
    _invitation: Invitation | None = None
    owns_kernel = False  # whether `close` shuts the kernel down
    on_others: Callable[[Msg], object] | None = None  # gets what iopub says of no cell of `run`
    holds_signals = False  # whether one that ends `run` waits until `on_output` has its message

    @property
    def verifier(self) -> Verifier:
        """Judges all messages of this client.

        Raises:
            ConfigError: no key, or another scheme than the one that was asked for.
        """
        if self._verifier is None:
            name = chosen_scheme(self.scheme, self.named_scheme or self.session.signature_scheme)
            spec = plugins.find(name)
            if spec.traits.weak:
                warnings.warn(f"{name} rests on a broken hash; use {DEFAULT}", stacklevel=2)
            memory = ReplayMemory() if spec.traits.replay_memory else None
            key = SecretKey(self.session.key)
            scheme = spec.client(Setup(name, key, os.urandom, memory, self._invitation))
            self._verifier = Verifier(scheme, self.session, spec.traits)
            forget_in_child(self)
        return self._verifier

    def forget_keys(self) -> None:
        """Have none any more, if others hold keys that we made (channel-hmac, section 4)."""
        if not self.verifier.traits.handshake:
            return
        self.verifier.forget()
        self._invitation = None
        if self.manager is not None:
            self.manager.session.key = b""

    @property
    def manager(self) -> KernelManager | None:
        """The manager of the kernel, if it is a child of this process."""
        return self.parent if isinstance(self.parent, KernelManager) else None

    def load_connection_file(self, connection_file: str | None = None) -> None:
        """Take key, scheme and addresses from a connection file.

        Args:
            connection_file: its path; None: the one this client was made with.

        Raises:
            ConfigError: it is missing, malformed, or names what this client refuses.
        """
        path = self.connection_file if connection_file is None else connection_file
        info, fields = connection.read(path)
        if connection.readable_by_others(path):
            self.log.warning("connection file %r, with the key, is readable by others", path)
        self.load_connection_info({**fields, "ip": info.ip})

    def load_connection_info(self, info: Mapping[str, Any]) -> None:
        """Take the fields of a connection file. Raises ConfigError."""
        key = info.get("key", self.session.key)
        named = info.get("signature_scheme", self.session.signature_scheme)
        curve = client_keys(info)
        connection.check_encryption(self.encryption, encrypted=curve is not None)
        secret = SecretKey(key if isinstance(key, bytes) else key.encode())
        chosen = chosen_scheme(self.scheme, named)
        invitation = invitation_in(info, chosen)
        # Refuses before anything has changed; nothing is sent.
        plugins.find(chosen).client(Setup(chosen, secret, bytes, invitation=invitation))
        self.named_scheme, self._invitation, self._verifier = named, invitation, None
        self._curve = curve
        told = plugins.find(named).traits.signs_as_jupyter  # else Session signs nothing
        known = {k: v for k, v in info.items() if k != "signature_scheme" or told}
        super().load_connection_info(cast("KernelConnectionInfo", known))

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> Any:  # noqa: ANN401 - zmq's
        """Like jupyter_client's, with the keys that this client is to use."""
        keys = self._curve_keys()
        socket = self.context.socket(channel_socket_types[channel])
        socket.linger = LINGER
        if channel == Channel.IOPUB.value:
            socket.rcvhwm = IOPUB_QUEUE
        if identity:
            socket.identity = identity
        if keys is not None:
            keys.secure(socket)
        socket.connect(self._make_url(channel))
        return socket

    def _curve_keys(self) -> ClientKeys | None:
        """None: nothing is encrypted. Raises ConfigError if that may not be."""
        keys = self._curve or client_keys(
            {"curve_publickey": self.curve_publickey, "curve_secretkey": self.curve_secretkey}
        )
        connection.check_encryption(self.encryption, encrypted=keys is not None)
        return keys

    def why_silent(self, timeout: float | None) -> str:
        """What to say if the kernel did not answer within `timeout` seconds."""
        connection, scheme = self.verifier.connection, self.verifier.scheme
        rejected = Ledger.from_tallies(connection.tallies, 0, connection.gaps).rejected
        why = f"; {rejected} messages were rejected, see client.ledger" if rejected else ""
        if not scheme.is_ready(Channel.CONTROL):
            why = f"; {unanswered(self._invitation)}"
        elif not scheme.connected:
            why += "; what it publishes on iopub does not arrive"
        if self._curve_keys() is not None:
            why += "; under CURVE it answers only clients whose key it takes"
        return f"the kernel did not answer within {timeout} seconds{why}"
