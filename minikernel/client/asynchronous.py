"""The asyncio client: like the blocking one, with coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
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
    AsyncVerifyingChannel,
    HeartbeatChannel,
    deadline_in,
    monitors,
    with_messages,
)
from minikernel.client.ledger import Ledger
from minikernel.client.result import Collector, Result
from minikernel.client.terminal import ask_terminal
from minikernel.errors import KernelDied
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from jupyter_client.channels import AsyncZMQSocketChannel
    from jupyter_client.manager import AsyncKernelManager
    from typing_extensions import Self

    from minikernel.client.exchange import Admission, Exchange
    from minikernel.client.verifier import Msg

    Handlers = dict[Channel, Callable[[Msg], object]]

CHANNEL: type[AsyncZMQSocketChannel] = AsyncVerifyingChannel  # as the base class declares it


class AsyncMiniKernelClient(VerifyingClient, AsyncKernelClient):
    """`MiniKernelClient` for asyncio; callbacks may be coroutine functions.

    Ctrl-C is asyncio's business: it cancels the wait.
    """

    shell_channel_class = Type(CHANNEL)
    iopub_channel_class = Type(CHANNEL)
    stdin_channel_class = Type(CHANNEL)
    control_channel_class = Type(CHANNEL)
    hb_channel_class = Type(HeartbeatChannel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the sockets, and shut the kernel down if it was launched with this client."""
        self.stop_channels()
        if self.owns_kernel:
            await self._own_async_manager().shutdown_kernel()

    def _own_async_manager(self) -> AsyncKernelManager:
        return cast("AsyncKernelManager", self._own_manager())

    async def run(
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
        on_input: Callable[[str, bool], str | Awaitable[str | None] | None] | None = None,
    ) -> Result:
        """Run a cell and wait for its end; arguments and errors as `MiniKernelClient.run`."""
        collector = Collector(self.verifier.missed)

        async def take(msg: Msg) -> None:
            collector.add(msg)
            if on_output is not None:
                await _settled(on_output(msg))

        exchange = await self._run(
            code,
            timeout=timeout,
            handlers={
                Channel.IOPUB: take,
                Channel.STDIN: partial(self._answer, on_input or _ask_in_thread),
            },
            silent=silent,
            store_history=store_history,
            allow_stdin=self.allow_stdin if allow_stdin is None else allow_stdin,
            stop_on_error=stop_on_error,
            user_expressions=user_expressions,
        )
        return collector.result(exchange.answer, complete=exchange.idle)

    async def execute_interactive(  # noqa: PLR0917 - jupyter_client's signature
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
        exchange = await self._run(
            code,
            timeout=timeout,
            handlers={
                Channel.IOPUB: output_hook or self._redisplay(),
                Channel.STDIN: stdin_hook or partial(self._answer, _ask_in_thread),
            },
            silent=silent,
            store_history=store_history,
            allow_stdin=self.allow_stdin if allow_stdin is None else allow_stdin,
            stop_on_error=stop_on_error,
            user_expressions=user_expressions,
        )
        return exchange.answer

    async def _run(
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
        await self._join(Channel.SHELL, timeout)
        if (room := self._room(deadline)) is not None:
            await self._converse(room, channels, {})
        self.iopub_channel.receiver.discard()
        with self.shell_channel.receiver.sending_until(deadline):
            msg_id = self.execute(code, allow_stdin=allow_stdin, **options)
        exchange = self._shell_exchange(msg_id, deadline)
        await self._converse(exchange, channels, handlers)
        return exchange

    async def _join(self, channel: Channel, timeout: float | None) -> None:
        """As `MiniKernelClient._join`."""
        admission = self._admission(channel, timeout)
        if admission is not None:
            await self._converse(admission, self._channels(Channel.IOPUB, Channel.CONTROL), {})

    async def _converse(
        self, exchange: Exchange | Admission, channels: dict[Channel, Any], handlers: Handlers
    ) -> None:
        """Receive until the exchange is over."""
        poller = zmq.asyncio.Poller()
        channels = self._watched(channels)
        for channel in channels.values():
            poller.register(channel.socket, zmq.POLLIN)
        watching = monitors(channels)
        for monitor in watching:
            poller.register(monitor, zmq.POLLIN)
        ready, lives = channels, True
        while True:
            heard = await self._hear(exchange, ready, handlers)
            if exchange.over:
                return
            self._raise_if_lost(exchange)
            exchange.lapse(time.monotonic(), quiet=not heard)
            if not heard and not lives:
                raise KernelDied(DIED)
            events = dict(await poller.poll(self._patience(exchange, channels)))
            if not watching.isdisjoint(events):
                self._look_again = 0.0
            ready = with_messages(channels, events)
            lives = bool(ready) or await self._lives()

    async def _hear(
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
                    await _settled(handlers[name](msg))
                if exchange.over:
                    return True
        return heard

    async def _lives(self) -> bool:
        return self.manager is None or bool(await self._own_async_manager().is_alive())

    async def _answer(
        self, ask: Callable[[str, bool], str | Awaitable[str | None] | None], question: Msg
    ) -> None:
        content = question["content"]
        answer = await _settled(ask(str(content.get("prompt", "")), bool(content.get("password"))))
        self._answer_unless_over(answer, question)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its publications arrive here.

        Raises:
            KernelDied: it has ended, or did not answer in time; also a RuntimeError.
        """
        deadline, grace = deadline_in(timeout), READY_GRACE
        channels = self._channels(Channel.IOPUB, Channel.CONTROL)
        try:
            await self._join(Channel.CONTROL, timeout)
        except TimeoutError:
            raise KernelDied(self._gave_up(timeout)) from None
        while True:
            exchange = self._probe(grace)
            with contextlib.suppress(TimeoutError):
                await self._converse(exchange, channels, {})
            if exchange.idle or (exchange.over and not self.verifier.observes):
                break
            if not await self._lives():
                raise KernelDied(DIED)
            if deadline is not None and time.monotonic() > deadline:
                raise KernelDied(self._gave_up(timeout))
            grace = min(2 * grace, READY_TRY)
        with contextlib.suppress(TimeoutError):  # a busy kernel may take no handshake there
            await self._join(Channel.SHELL, READY_TRY)

    async def auth_status(self, timeout: float = CONTROL_TIMEOUT) -> Ledger:
        """The kernel's own ledger, by an `auth_status_request`, which only ours answers.

        Raises:
            TimeoutError: no answer in `timeout` seconds.
        """
        return Ledger.from_status(
            await self.request_control("auth_status_request", timeout=timeout)
        )

    async def interrupt(self, timeout: float = CONTROL_TIMEOUT) -> None:
        """Interrupt the cell that runs: by signal if the kernel is ours, else by message.

        Raises:
            TimeoutError: no answer to the message in `timeout` seconds.
            PermissionDenied: an invitation without the right.
        """
        if self.manager is not None:
            await self._own_async_manager().interrupt_kernel()
        else:
            (await self._order("interrupt_request", {}, timeout)).granted  # noqa: B018 - or raises

    async def request_control(
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
        return dict((await self._order(msg_type, content or {}, timeout)).answer["content"])

    async def _order(self, msg_type: str, content: dict[str, Any], timeout: float) -> Exchange:
        await self._join(Channel.CONTROL, timeout)
        exchange = self._control_exchange(msg_type, content, timeout)
        await self._converse(exchange, self._channels(Channel.CONTROL), {})
        return exchange

    async def restart(self, timeout: float | None = 60.0) -> None:
        """End the kernel and start it anew on the same connection file.

        Raises:
            RuntimeError: the kernel was not launched here, or did not come up in time.
        """
        await self._own_async_manager().restart_kernel()
        self._expect_another_run()
        await self.wait_for_ready(timeout)


async def _settled(value: Any) -> Any:  # noqa: ANN401 - a callback's
    return await value if inspect.isawaitable(value) else value


async def _ask_in_thread(prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
    return await asyncio.to_thread(ask_terminal, prompt, password)
