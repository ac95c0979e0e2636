"""The blocking client."""

from __future__ import annotations

import contextlib
import inspect
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient, wrapped
from jupyter_client.client import KernelClient, reqrep
from jupyter_core.utils import ensure_async, run_sync
from traitlets import Type

from minikernel.client.base import (
    BATCH,
    CONTROL_TIMEOUT,
    DIED,
    READY_GRACE,
    READY_TRY,
    VerifyingClient,
)
from minikernel.client.channels import (
    HeartbeatChannel,
    VerifyingChannel,
    deadline_in,
    monitors,
    with_messages,
)
from minikernel.client.interrupts import Forwarding
from minikernel.client.ledger import Ledger
from minikernel.client.result import Collector, Result
from minikernel.client.terminal import ask_terminal
from minikernel.errors import KernelDied
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from jupyter_client.channels import ZMQSocketChannel
    from typing_extensions import Self

    from minikernel.client.exchange import Admission, Exchange
    from minikernel.client.verifier import Msg

    Handlers = dict[Channel, Callable[[Msg], object]]

CHANNEL: type[ZMQSocketChannel] = VerifyingChannel  # as the base class declares it


class MiniKernelClient(VerifyingClient, BlockingKernelClient):
    """A client that hands out verified messages only; leave it as a context manager.

    All of `BlockingKernelClient`, and `run`, `ledger`, `auth_status`, `trace`.
    """

    shell_channel_class = Type(CHANNEL)
    iopub_channel_class = Type(CHANNEL)
    stdin_channel_class = Type(CHANNEL)
    control_channel_class = Type(CHANNEL)
    hb_channel_class = Type(HeartbeatChannel)

    is_complete = reqrep(wrapped, KernelClient.is_complete)

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
        """Close the sockets, and shut the kernel down if it was launched with this client."""
        self.stop_channels()
        if self.owns_kernel:
            self._own_manager().shutdown_kernel()

    def run(
        self,
        code: str,
        *,
        timeout: float | None = None,
        silent: bool = False,
        store_history: bool = True,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        user_expressions: dict[str, str] | None = None,
        on_output: Callable[[Msg], object] | None = None,
        on_input: Callable[[str, bool], str | None] | None = None,
    ) -> Result:
        """Run a cell and wait for its end.

        Replies to other requests that come meanwhile are dropped, as by `execute_interactive`.
        On Ctrl-C a kernel that was launched here is interrupted, and the wait goes on; the second
        Ctrl-C ends the wait.

        Args:
            code: the cell.
            timeout: seconds; None: no limit. The kernel is not interrupted when it is over.
            silent: no outputs but streams, no execution count.
            store_history: whether the cell becomes part of the kernel's history.
            allow_stdin: whether the cell may ask for input; None: as the client's `allow_stdin`.
            stop_on_error: whether an error aborts the requests that are queued behind.
            user_expressions: evaluated after the cell; name -> expression.
            on_output: called with each message that the cell publishes, as it comes.
            on_input: called with (prompt, whether it is a password), returns the answer, or None
                for no answer; None: the terminal is asked.

        Raises:
            TimeoutError: the cell has not ended in time.
            KernelDied: the kernel's process has ended.
        """
        collector = Collector(self.verifier.missed)

        def take(msg: Msg) -> None:
            collector.add(msg)
            if on_output is not None:
                on_output(msg)

        exchange = self._run(
            code,
            timeout=timeout,
            handlers={
                Channel.IOPUB: take,
                Channel.STDIN: partial(self._answer, on_input or ask_terminal),
            },
            silent=silent,
            store_history=store_history,
            allow_stdin=self.allow_stdin if allow_stdin is None else allow_stdin,
            stop_on_error=stop_on_error,
            user_expressions=user_expressions,
        )
        return collector.result(exchange.answer, complete=exchange.idle)

    def execute_interactive(  # noqa: PLR0917 - jupyter_client's signature
        self,
        code: str,
        silent: bool = False,  # noqa: FBT001, FBT002 - likewise, here and below
        store_history: bool = True,  # noqa: FBT001, FBT002
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool | None = None,  # noqa: FBT001
        stop_on_error: bool = True,  # noqa: FBT001, FBT002
        timeout: float | None = None,
        output_hook: Callable[[Msg], object] | None = None,
        stdin_hook: Callable[[Msg], object] | None = None,
    ) -> Msg:
        """Like jupyter_client's: redisplays outputs, asks the terminal, returns the reply.

        Raises:
            TimeoutError: the cell has not ended in time.
            KernelDied: the kernel's process has ended.
        """
        exchange = self._run(
            code,
            timeout=timeout,
            handlers={
                Channel.IOPUB: output_hook or self._redisplay(),
                Channel.STDIN: _synchronous(stdin_hook)
                if stdin_hook
                else partial(self._answer, ask_terminal),
            },
            silent=silent,
            store_history=store_history,
            allow_stdin=self.allow_stdin if allow_stdin is None else allow_stdin,
            stop_on_error=stop_on_error,
            user_expressions=user_expressions,
        )
        return exchange.answer

    def _run(
        self,
        code: str,
        *,
        timeout: float | None,
        handlers: Handlers,
        allow_stdin: bool,
        **options: Any,  # noqa: ANN401 - of `execute`
    ) -> Exchange:
        deadline = deadline_in(timeout)
        channels = self._execute_channels(allow_stdin=allow_stdin)
        self._join(Channel.SHELL, timeout)
        if (room := self._room(deadline)) is not None:
            self._converse(room, channels, {})
        self.iopub_channel.receiver.discard()
        interrupt = None if self.manager is None else self.manager.interrupt_kernel
        with Forwarding(interrupt) as forwarding:
            guarded: Handlers = {
                channel: partial(_guarded, forwarding, handler)
                for channel, handler in handlers.items()
            }
            with self.shell_channel.receiver.sending_until(deadline):
                msg_id = self.execute(code, allow_stdin=allow_stdin, **options)
            exchange = self._shell_exchange(msg_id, deadline)
            self._converse(exchange, channels, guarded)
        return exchange

    def _join(self, channel: Channel, timeout: float | None) -> None:
        """Shake hands first, if the scheme wants it and it has not been done.

        Raises:
            TimeoutError: nobody answered in time.
            TooManySessions: the kernel has no place for us.
        """
        admission = self._admission(channel, timeout)
        if admission is not None:
            self._converse(admission, self._channels(Channel.IOPUB, Channel.CONTROL), {})

    def _converse(
        self, exchange: Exchange | Admission, channels: dict[Channel, Any], handlers: Handlers
    ) -> None:
        """Receive until the exchange is over."""
        poller = zmq.Poller()
        channels = self._watched(channels)
        for channel in channels.values():
            poller.register(channel.socket, zmq.POLLIN)
        watching = monitors(channels)
        for monitor in watching:
            poller.register(monitor, zmq.POLLIN)
        ready, lives = channels, True
        while True:
            heard = self._hear(exchange, ready, handlers)
            if exchange.over:
                return
            self._raise_if_lost(exchange)
            exchange.lapse(time.monotonic(), quiet=not heard)
            if not heard and not lives:
                raise KernelDied(DIED)
            events = dict(poller.poll(self._patience(exchange, channels)))
            if not watching.isdisjoint(events):
                self._look_again = 0.0
            ready = with_messages(channels, events)
            lives = bool(ready) or self._lives()

    def _hear(
        self, exchange: Exchange | Admission, ready: dict[Channel, Any], handlers: Handlers
    ) -> bool:
        """Take what has come; whether anything authentic had."""
        heard = False
        for name, channel in ready.items():
            for _ in range(BATCH):
                msg = channel.receiver.take()
                if msg is None:
                    break
                heard = True
                if exchange.take(name, msg, time.monotonic()) and name in handlers:
                    handlers[name](msg)
                if exchange.over:
                    return True
        return heard

    def _lives(self) -> bool:
        return self.manager is None or bool(self.manager.is_alive())

    def _answer(self, ask: Callable[[str, bool], str | None], question: Msg) -> None:
        content = question["content"]
        answer = ask(str(content.get("prompt", "")), bool(content.get("password")))
        self._answer_unless_over(answer, question)

    def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its publications arrive here.

        Raises:
            KernelDied: it has ended, or did not answer in time; also a RuntimeError.
        """
        deadline, grace = deadline_in(timeout), READY_GRACE
        channels = self._channels(Channel.IOPUB, Channel.CONTROL)
        try:
            self._join(Channel.CONTROL, timeout)
        except TimeoutError:
            raise KernelDied(self._gave_up(timeout)) from None
        while True:
            exchange = self._probe(grace)
            with contextlib.suppress(TimeoutError):
                self._converse(exchange, channels, {})
            if exchange.idle or (exchange.over and not self.verifier.observes):
                break
            if not self._lives():
                raise KernelDied(DIED)
            if deadline is not None and time.monotonic() > deadline:
                raise KernelDied(self._gave_up(timeout))
            grace = min(2 * grace, READY_TRY)
        with contextlib.suppress(TimeoutError):  # a busy kernel may take no handshake there
            self._join(Channel.SHELL, READY_TRY)

    def auth_status(self, timeout: float = CONTROL_TIMEOUT) -> Ledger:
        """The kernel's own ledger, by an `auth_status_request`, which only ours answers.

        Raises:
            TimeoutError: no answer in `timeout` seconds.
        """
        return Ledger.from_status(self.request_control("auth_status_request", timeout=timeout))

    def interrupt(self, timeout: float = CONTROL_TIMEOUT) -> None:
        """Interrupt the cell that runs: by signal if the kernel is ours, else by message.

        Raises:
            TimeoutError: no answer to the message in `timeout` seconds.
            PermissionDenied: an invitation without the right.
        """
        if self.manager is not None:
            self.manager.interrupt_kernel()
        else:
            self._order("interrupt_request", {}, timeout).granted  # noqa: B018 - or raises

    def request_control(
        self,
        msg_type: str,
        content: dict[str, Any] | None = None,
        *,
        timeout: float = CONTROL_TIMEOUT,
    ) -> dict[str, Any]:
        """Send a request on control; the content of its reply.

        Raises:
            TimeoutError: no answer in `timeout` seconds.
        """
        return dict(self._order(msg_type, content or {}, timeout).answer["content"])

    def _order(self, msg_type: str, content: dict[str, Any], timeout: float) -> Exchange:
        self._join(Channel.CONTROL, timeout)
        exchange = self._control_exchange(msg_type, content, timeout)
        self._converse(exchange, self._channels(Channel.CONTROL), {})
        return exchange

    def restart(self, timeout: float | None = 60.0) -> None:
        """End the kernel and start it anew on the same connection file.

        Raises:
            RuntimeError: the kernel was not launched here, or did not come up in time.
        """
        self._own_manager().restart_kernel()
        self._expect_another_run()
        self.wait_for_ready(timeout)

    def get_shell_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of shell. Raises queue.Empty."""
        msg: Msg = self.shell_channel.get_msg(timeout)
        return msg

    def get_iopub_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of iopub. Raises queue.Empty."""
        msg: Msg = self.iopub_channel.get_msg(timeout)
        return msg

    def get_stdin_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of stdin. Raises queue.Empty."""
        msg: Msg = self.stdin_channel.get_msg(timeout)
        return msg

    def get_control_msg(self, timeout: float | None = None) -> Msg:
        """The next verified message of control. Raises queue.Empty."""
        msg: Msg = self.control_channel.get_msg(timeout)
        return msg


def _guarded(forwarding: Forwarding, handler: Callable[[Msg], object], msg: Msg) -> None:
    """Let the handler have a message; the first that is no status shows that the cell runs."""
    if msg["msg_type"] != "status":
        forwarding.cell_runs()
    forwarding.call(handler, msg)


def _synchronous(hook: Callable[[Msg], object]) -> Callable[[Msg], object]:
    """The same hook, waited for if it is a coroutine function."""

    def call(msg: Msg) -> object:
        answer = hook(msg)
        return run_sync(ensure_async)(answer) if inspect.isawaitable(answer) else answer

    return call
