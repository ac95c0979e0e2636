"""What the blocking and the asyncio client share: scheme, channels, ledger, trace."""

from __future__ import annotations

import math
import sys
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.client import KernelClient
from jupyter_client.connect import channel_socket_types
from jupyter_client.manager import KernelManager
from traitlets import Unicode

from minikernel.auth.jupyter_hmac import PREFIX
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import WEAK, create
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.client.channels import HeartbeatChannel, Link, deadline_in
from minikernel.client.credentials import chosen_scheme, credential_in, joining, unanswered
from minikernel.client.escape import shortened
from minikernel.client.exchange import GRACE, Admission, Exchange
from minikernel.client.ledger import Ledger
from minikernel.client.verifier import MESSAGE_CHANNELS, Verifier
from minikernel.errors import RequestLost, TooManySessions
from minikernel.transport import connection
from minikernel.transport.curve import ClientKeys, client_keys
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_client.connect import KernelConnectionInfo

    from minikernel.auth.channel_hmac_keys import Credential
    from minikernel.auth.scheme import Joining
    from minikernel.client.verifier import Lost, Msg, TraceEvent

READY_GRACE = 0.05  # seconds to wait for the idle of a kernel_info_request before asking again
READY_TRY = 1.0  # seconds after which a kernel_info_request counts as lost
BATCH = 200  # messages of one channel before the others have their turn
CONTROL_TIMEOUT = 10.0  # seconds; control answers while a cell runs
DIED = "the kernel's process has ended"
SILENCE = 10.0  # seconds without an answer to a heartbeat after which we shake hands again
REFUSAL_LENGTH = 200  # characters
LINGER = 1000  # ms that a closed socket may go on sending, as jupyter_client has it
IOPUB_QUEUE = 10_000  # messages that wait here while the caller does something else
LIVENESS = 1.0  # seconds between two looks whether a kernel of ours still lives


class VerifyingClient(KernelClient):
    """A jupyter_client client whose channels take verified messages only."""

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
    _invitation: Credential | None = None
    _look_again = 0.0  # when a handshake wants to be seen to; seconds, monotonic
    owns_kernel = False  # whether `close` shuts the kernel down

    @property
    def verifier(self) -> Verifier:
        """Judges all messages of this client.

        Raises:
            ConfigError: no key, or another scheme than the one that was asked for.
        """
        if self._verifier is None:
            name = chosen_scheme(self.scheme, self.named_scheme or self.session.signature_scheme)
            if name in WEAK:
                warnings.warn(f"{name} rests on a broken hash; use hmac-sha256", stacklevel=2)
            key = SecretKey(self.session.key)
            scheme = joining(name, key, self._invitation)
            self._verifier = Verifier(
                scheme or create(name, key, ReplayMemory()), self.session, scheme
            )
        return self._verifier

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
        """Likewise, from the fields of a connection file. Raises ConfigError."""
        key = info.get("key", self.session.key)
        named = info.get("signature_scheme", self.session.signature_scheme)
        curve = client_keys(info)
        connection.check_encryption(self.encryption, encrypted=curve is not None)
        secret = SecretKey(key if isinstance(key, bytes) else key.encode())
        # Refuses before anything has changed.
        invitation = credential_in(info, chosen_scheme(self.scheme, named), secret)
        self.named_scheme, self._invitation, self._verifier = named, invitation, None
        self._curve = curve
        foreign = not named.startswith(PREFIX)  # to jupyter_client's Session, which signs nothing
        known = {k: v for k, v in info.items() if k != "signature_scheme" or not foreign}
        super().load_connection_info(cast("KernelConnectionInfo", known))

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> Any:  # noqa: ANN401
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

    @property
    def shell_channel(self) -> Any:  # noqa: ANN401 - as in jupyter_client, here and below
        """Requests and their replies."""
        return self._opened(Channel.SHELL)

    @property
    def iopub_channel(self) -> Any:  # noqa: ANN401
        """What the kernel publishes."""
        return self._opened(Channel.IOPUB)

    @property
    def stdin_channel(self) -> Any:  # noqa: ANN401
        """The kernel's questions and their answers."""
        return self._opened(Channel.STDIN)

    @property
    def control_channel(self) -> Any:  # noqa: ANN401
        """Requests that a busy kernel answers too."""
        return self._opened(Channel.CONTROL)

    def _opened(self, channel: Channel) -> Any:  # noqa: ANN401
        name = channel.value
        opened = getattr(self, f"_{name}_channel")
        if opened is None:
            watched = self.context if self.verifier.joining is not None else None
            link = Link(self.verifier, channel, self._tend, watched)
            # Anybody can copy an identity, so a scheme that looks for routes has none.
            named = channel is not Channel.IOPUB and self.verifier.names_itself
            identity = {"identity": self.session.bsession} if named else {}
            socket = getattr(self, f"connect_{name}")(**identity)
            opened = getattr(self, f"{name}_channel_class")(socket, self.session, link)
            setattr(self, f"_{name}_channel", opened)
        return opened

    def _channels(self, *names: Channel) -> dict[Channel, Any]:
        return {channel: self._opened(channel) for channel in names}

    @property
    def hb_channel(self) -> Any:  # noqa: ANN401
        """The heartbeat."""
        heartbeat = super().hb_channel
        heartbeat.scheme = self.verifier.pinging
        heartbeat.curve = self._curve_keys()
        return heartbeat

    def _tend(self) -> float | None:
        """See to the handshake, if the scheme has one; seconds until it should be seen to again."""
        joining, now = self.verifier.joining, time.monotonic()
        if joining is None:
            return None
        if now >= self._look_again or joining.wait(now) == 0:
            self._look_after(joining, now)
            wait = joining.wait(now)
            self._look_again = now + (LIVENESS if wait is None else min(wait, LIVENESS))
        return max(0.0, self._look_again - now)

    def _look_after(self, joining: Joining, now: float) -> None:
        opened = [getattr(self, f"_{c.value}_channel") for c in MESSAGE_CHANNELS]
        lost = [c for c in opened if c is not None and c.receiver.has_lost_connection()]
        if lost or self._is_silent(now):
            joining.renew(now)
        if joining.wait(now) is not None:
            for name in joining.under_way:
                self._opened(name).receiver.has_message()  # takes what belongs to the handshake
        for channel, frames in self.verifier.due(now):
            self._opened(channel).receiver.offer(frames)

    def _is_silent(self, now: float) -> bool:
        """Whether heartbeats have been sent for long, and none came back."""
        beat, scheme = self._hb_channel, self.verifier.pinging
        if scheme is None or not isinstance(beat, HeartbeatChannel) or not beat.pings:
            return False
        return now - max(beat.heard, scheme.renewed) > SILENCE

    def _admission(self, channel: Channel, timeout: float | None) -> Admission | None:
        """The handshake that must come first; None: there is none, or it has been."""
        scheme = self.verifier.joining
        if scheme is None:
            return None
        self._look_again = 0.0
        self._tend()
        if scheme.is_ready(channel):
            return None
        if scheme.wait(now := time.monotonic()) is None:
            scheme.renew(now)
        self._look_again = 0.0
        return Admission(lambda: scheme.is_ready(channel), deadline=deadline_in(timeout))

    def _room(self, deadline: float | None) -> Admission | None:
        """Until shell takes a request; None: it does. A peer that encrypts otherwise never will."""
        can_send = self.shell_channel.receiver.can_send
        return None if can_send() else Admission(can_send, deadline=deadline)

    @property
    def lost(self) -> tuple[Lost, ...]:
        """Requests whose answers will not come, after a restart or a lost connection."""
        return tuple(self.verifier.lost.values())

    def _execute_channels(self, *, allow_stdin: bool) -> dict[Channel, Any]:
        """The channels of an execute_request, the replies' last: outputs come before them.

        Raises:
            RuntimeError: one of them was not started.
        """
        if not self.iopub_channel.is_alive():
            raise RuntimeError("IOPub channel must be running to receive output")
        if not allow_stdin:
            return self._channels(Channel.IOPUB, Channel.SHELL)
        if not self.stdin_channel.is_alive():
            raise RuntimeError("stdin channel must be running to allow input")
        return self._channels(Channel.IOPUB, Channel.STDIN, Channel.SHELL)

    def _redisplay(self) -> Callable[[Msg], None]:
        """Shows outputs here: as text, or inside an IPython kernel as this cell's own outputs."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        if not getattr(shell, "kernel", None):
            return self._output_hook_default
        publisher = cast("Any", shell).display_pub
        return partial(
            self._output_hook_kernel,
            publisher.session,
            publisher.pub_socket,
            publisher.parent_header,
        )

    def _ask_control(self, msg_type: str, content: dict[str, Any]) -> str:
        """Send a request on control; returns its msg_id."""
        msg: Msg = self.session.msg(msg_type, content)
        if self.control_channel.receiver.can_send():  # if not, its deadline tells
            self.control_channel.send(msg)
        return str(msg["header"]["msg_id"])

    def input(self, string: str, parent: Msg | None = None) -> None:
        """Answer an input_request.

        Args:
            string: the line without its end.
            parent: the input_request, so that the kernel can tell which one is answered; None:
                the last one that came.
        """
        parent = self.verifier.question if parent is None else parent
        msg = self.session.msg("input_reply", {"value": string}, parent=parent)
        self.stdin_channel.send(msg)

    @property
    def ledger(self) -> Ledger:
        """What this client sent, verified and rejected so far, by channel."""
        heartbeat = self._hb_channel
        beats = heartbeat.beats if isinstance(heartbeat, HeartbeatChannel) else 0
        return Ledger.from_tallies(self.verifier.tallies, beats, self.verifier.gaps)

    @property
    def trace(self) -> Callable[[TraceEvent], object] | None:
        """Called with each message that is sent, received, or received and dropped."""
        return self.verifier.trace

    @trace.setter
    def trace(self, callback: Callable[[TraceEvent], object] | None) -> None:
        self.verifier.trace = callback

    @property
    def manager(self) -> KernelManager | None:
        """The manager of the kernel, if it is a child of this process."""
        return self.parent if isinstance(self.parent, KernelManager) else None

    def _own_manager(self) -> KernelManager:
        if self.manager is None:
            raise RuntimeError("only a kernel that was launched here can be restarted")
        return self.manager

    def _gave_up(self, timeout: float | None) -> str:
        rejected, joining = self.ledger.rejected, self.verifier.joining
        why = f"; {rejected} messages were rejected, see client.ledger" if rejected else ""
        if joining is not None and not joining.is_ready(Channel.CONTROL):
            why = f"; {unanswered(self._invitation)}"
        elif joining is not None and not joining.connected:
            why += "; what it publishes on iopub does not arrive"
        if self._curve_keys() is not None:
            why += "; under CURVE it answers only clients whose key it takes"
        return f"the kernel did not answer within {timeout} seconds{why}"

    def _watched(self, channels: dict[Channel, Any]) -> dict[Channel, Any]:
        """Where a handshake could go on meanwhile, too."""
        joining = self.verifier.joining
        if joining is None:
            return channels
        return {**channels, **self._channels(*joining.under_way)}

    def _raise_if_lost(self, exchange: Exchange | Admission) -> None:
        """Raises RequestLost, or TooManySessions, if no answer will come."""
        verifier = self.verifier
        if verifier.joining is None:
            return
        if verifier.joining.refusal is not None:
            raise TooManySessions(shortened(verifier.joining.refusal, REFUSAL_LENGTH))
        if isinstance(exchange, Exchange) and exchange.msg_id in verifier.lost:
            lost = verifier.lost[exchange.msg_id]
            raise RequestLost(lost.msg_type, lost.fate.value)

    def _patience(self, exchange: Exchange | Admission, channels: dict[Channel, Any]) -> int:
        """Milliseconds that a poll may take.

        Never long: a kernel may die, and a signal that comes just before a poll does not end it.
        """
        turn = self._tend()
        if any(channel.receiver.ahead for channel in channels.values()):
            return 0
        waits = (LIVENESS, turn, exchange.wait(time.monotonic()))
        return math.ceil(1000 * min(wait for wait in waits if wait is not None))

    def _shell_exchange(self, msg_id: str, deadline: float | None) -> Exchange:
        grace = GRACE if self.verifier.observes else None
        return Exchange(msg_id, session=self.session.session, deadline=deadline, grace=grace)

    def _expect_another_run(self) -> None:
        """The kernel was restarted: the session is over, whether or not we have noticed."""
        if self.verifier.joining is not None:
            self.verifier.joining.renew(time.monotonic())
            self._look_again = 0.0

    def _control_exchange(self, msg_type: str, content: dict[str, Any], timeout: float) -> Exchange:
        return Exchange(
            self._ask_control(msg_type, content),
            session=self.session.session,
            replies=Channel.CONTROL,
            deadline=deadline_in(timeout),
            grace=None,
        )

    def _probe(self, grace: float) -> Exchange:
        """Asks for the kernel's info on control, which a busy kernel answers too."""
        return Exchange(
            self._ask_control("kernel_info_request", {}),
            session=self.session.session,
            replies=Channel.CONTROL,
            deadline=deadline_in(READY_TRY),
            grace=grace if self.verifier.observes else None,
        )

    def _answer_unless_over(self, answer: str | None, question: Msg) -> None:
        """The cell may have been interrupted, or asked again, while the user was typing."""
        over = (
            self.stdin_channel.receiver.has_message() or self.shell_channel.receiver.has_message()
        )
        if answer is not None and not over:
            self.input(answer, parent=question)
