"""The blocking client."""

from __future__ import annotations

from functools import wraps
from queue import Empty
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from jupyter_client.blocking.client import BlockingKernelClient, wrapped
from jupyter_client.client import KernelClient, reqrep
from traitlets import Type

from minikernel.client.base import VerifyingClient
from minikernel.client.channels import HeartbeatChannel, VerifyingChannel, deadline_in
from minikernel.client.conversation import Conversation
from minikernel.client.waiting import DIED, LIVENESS, Threads, left, now
from minikernel.errors import KernelDied
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Concatenate

    from jupyter_client.channels import ZMQSocketChannel
    from typing_extensions import Self

    from minikernel.client.conversation import Option
    from minikernel.client.verifier import Msg

_P = ParamSpec("_P")
_T = TypeVar("_T")

CHANNEL: type[ZMQSocketChannel] = VerifyingChannel  # as the base class declares it


def at_once(
    method: Callable[Concatenate[Conversation, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[MiniKernelClient, _P], _T]:
    """A method of a client's that does what one of its conversation does."""

    @wraps(method)
    def call(self: MiniKernelClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return now(method(self._conversation, *args, **kwargs))

    return call


def _in_turn(method: Callable[..., str], channel: str) -> Callable[..., Any]:
    """A method of jupyter_client's, that other threads may call too, here and in `run`."""
    plain = wrapped(method, channel)

    async def said(
        self: VerifyingClient, timeout: float | None, args: Option, options: Option
    ) -> Msg | str:
        deadline, reply = deadline_in(timeout), options.get("reply", False)
        apart = self._channels.is_apart(Channel(channel))
        async with self._turns.turn(deadline, control=apart, waits=reply):
            rest = None if deadline is None else left(deadline)
            answer: Msg | str = plain(self, *args, timeout=rest, **options)
            return answer

    @wraps(method)
    def call(
        self: VerifyingClient, *args: Option, timeout: float | None = None, **options: Option
    ) -> Msg | str:
        return now(said(self, timeout, args, options))

    return call


class Requests(VerifyingClient):
    """jupyter_client's requests; threads take turns."""

    execute = reqrep(_in_turn, KernelClient.execute)
    history = reqrep(_in_turn, KernelClient.history)
    complete = reqrep(_in_turn, KernelClient.complete)
    inspect = reqrep(_in_turn, KernelClient.inspect)
    is_complete = reqrep(_in_turn, KernelClient.is_complete)
    kernel_info = reqrep(_in_turn, KernelClient.kernel_info)
    comm_info = reqrep(_in_turn, KernelClient.comm_info)
    shutdown = reqrep(_in_turn, KernelClient.shutdown, channel=Channel.CONTROL.value)

    def _recv_reply(
        self, msg_id: str, timeout: float | None = None, channel: str = Channel.SHELL.value
    ) -> Msg:
        """As jupyter_client's, which makes an event loop for each thread that asks.

        Raises:
            TimeoutError: there is no reply in `timeout` seconds.
            KernelDied: the kernel has ended.
        """
        deadline = deadline_in(timeout)
        while True:
            turn = LIVENESS if deadline is None else min(LIVENESS, left(deadline))
            try:
                msg: Msg = self._channels.opened(Channel(channel)).get_msg(turn)
            except Empty:
                if deadline is not None and not left(deadline):
                    raise TimeoutError("Timeout waiting for reply") from None
                if not now(self._listening.lives()):
                    raise KernelDied(DIED) from None
                continue
            if msg["parent_header"].get("msg_id") == msg_id:
                return msg


class MiniKernelClient(Requests, BlockingKernelClient):
    """A client that hands out verified messages only; leave it as a context manager.

    All of `BlockingKernelClient`, and `run`, `ledger`, `auth_status`, `trace`.
    """

    shell_channel_class = Type(CHANNEL)
    iopub_channel_class = Type(CHANNEL)
    stdin_channel_class = Type(CHANNEL)
    control_channel_class = Type(CHANNEL)
    hb_channel_class = Type(HeartbeatChannel)

    _waits = Threads

    run = at_once(Conversation.run)
    execute_interactive = at_once(Conversation.execute_interactive)
    wait_for_ready = at_once(Conversation.wait_for_ready)
    auth_status = at_once(Conversation.auth_status)
    interrupt = at_once(Conversation.interrupt)
    request_control = at_once(Conversation.request_control)
    restart = at_once(Conversation.restart)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets, and shut the kernel down if it was launched with this client.

        Twice is as good as once. What waits in another thread raises ClientClosed within a second.
        In a forked child it does nothing: all this is its parent's.
        """
        now(self._turns.close())

    def get_shell_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of shell. Raises queue.Empty."""
        return cast("Msg", self.shell_channel.get_msg(timeout))

    def get_iopub_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of iopub. Raises queue.Empty."""
        return cast("Msg", self.iopub_channel.get_msg(timeout))

    def get_stdin_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of stdin. Raises queue.Empty."""
        return cast("Msg", self.stdin_channel.get_msg(timeout))

    def get_control_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of control. Raises queue.Empty."""
        return cast("Msg", self.control_channel.get_msg(timeout))
