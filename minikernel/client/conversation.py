"""What a client says to its kernel and hears from it, whichever way it waits."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from jupyter_client.client import KernelClient

from minikernel.client.channels import deadline_in
from minikernel.client.exchange import GRACE, Exchange
from minikernel.client.ledger import Ledger
from minikernel.client.result import Collector
from minikernel.client.waiting import DIED
from minikernel.errors import KernelDied
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from minikernel.client.interrupts import Handler
    from minikernel.client.listening import Listening
    from minikernel.client.result import Result
    from minikernel.client.verifier import Msg

Option: TypeAlias = Any  # what jupyter_client is to get

READY_GRACE = 0.05  # seconds to wait for the idle of a kernel_info_request before asking again
READY_TRY = 1.0  # seconds after which a kernel_info_request counts as lost
CONTROL_TIMEOUT = 10.0  # seconds; control answers while a cell runs


class Conversation:
    """Coroutines, for a client of either kind; what they raise, its methods say.

    Args:
        listening: of the client.
        redisplay: gives what shows outputs here.
    """

    def __init__(self, listening: Listening, redisplay: Callable[[], Handler]) -> None:
        self._listening, self._redisplay = listening, redisplay
        self._client, self._channels = listening.client, listening.channels
        self._turns, self._waits = listening.turns, listening.waits
        self._callback = partial(self._waits.callback, aside=self._channels.aside)
        self._given_up: set[str] = set()  # cells for whose end nobody waits any more

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
        """Run a cell and wait for its end.

        Threads, or tasks, take turns. Replies to other requests that come meanwhile are dropped.
        Callbacks may be coroutine functions. In a blocking client the first Ctrl-C interrupts a
        kernel that was launched here, and the wait goes on; the second ends the wait.

        Args:
            code: the cell.
            timeout: seconds; None: no limit. The kernel is not interrupted when it is over.
            silent: no outputs but streams, no execution count.
            store_history: whether the cell becomes part of the kernel's history.
            allow_stdin: whether the cell may ask for input; None: as the client's `allow_stdin`.
            stop_on_error: whether an error aborts the requests that are queued behind.
            user_expressions: evaluated after the cell; name -> expression.
            on_output: called with each message that the cell publishes, as it comes.
            on_input: called with (prompt, is it a password), returns the answer; None: ask here.

        Raises:
            TimeoutError: the cell has not ended in time.
            KernelDied: the kernel has ended, one of ours or another.
            ClientClosed: the client was closed, here or in another thread.
            LocalProtocolError: in a callback of a cell, or a forked child.
        """
        collector = Collector(self._client.verifier.missed)
        show = None if on_output is None else self._callback(on_output)

        def take(msg: Msg) -> object:
            collector.add(msg)
            return None if show is None else show(msg)

        exchange = await self._execute(
            code,
            {Channel.IOPUB: take, Channel.STDIN: self._asking(on_input)},
            timeout=timeout,
            silent=silent,
            store_history=store_history,
            allow_stdin=allow_stdin,
            stop_on_error=stop_on_error,
            user_expressions=user_expressions,
        )
        return collector.result(exchange.answer, complete=exchange.complete)

    async def execute_interactive(  # noqa: PLR0917 - jupyter_client's signature
        self,
        code: str,
        silent: bool = False,  # noqa: FBT001, FBT002 - its signature, here and below
        store_history: bool = True,  # noqa: FBT001, FBT002 - as above
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool | None = None,  # noqa: FBT001 - as above
        stop_on_error: bool = True,  # noqa: FBT001, FBT002 - as above
        timeout: float | None = None,
        output_hook: Callable[[Msg], object] | None = None,
        stdin_hook: Callable[[Msg], object] | None = None,
    ) -> Msg:
        """Like jupyter_client's: redisplays outputs, asks the terminal, returns the reply.

        Raises:
            TimeoutError: the cell has not ended in time.
            KernelDied: the kernel's process has ended.
        """
        shows = self._callback(output_hook or self._redisplay())
        asks = self._callback(stdin_hook) if stdin_hook else self._asking(None)
        exchange = await self._execute(
            code,
            {Channel.IOPUB: shows, Channel.STDIN: asks},
            timeout=timeout,
            silent=silent,
            store_history=store_history,
            allow_stdin=allow_stdin,
            stop_on_error=stop_on_error,
            user_expressions=user_expressions,
        )
        return exchange.answer

    async def _execute(
        self,
        code: str,
        handlers: dict[Channel, Handler],
        *,
        timeout: float | None,
        allow_stdin: bool | None,
        **options: Option,
    ) -> Exchange:
        client, deadline = self._client, deadline_in(timeout)
        allow_stdin = client.allow_stdin if allow_stdin is None else allow_stdin
        async with self._turns.turn(deadline):
            channels = self._channels.for_cell(allow_stdin=allow_stdin)
            await self._listening.join(Channel.SHELL, timeout)
            if (room := self._channels.room(deadline)) is not None:
                await self._listening.until_over(room, channels)
            channels[Channel.IOPUB].receiver.discard(client.on_others)
            interrupt = None if client.manager is None else client.manager.interrupt_kernel
            holds = client.holds_signals
            with self._waits.forwarding(interrupt, handlers, holds=holds) as forwarding:
                while True:
                    is_behind = self._is_behind()
                    with channels[Channel.SHELL].receiver.sending_until(deadline):
                        msg_id = KernelClient.execute(
                            client, code, allow_stdin=allow_stdin, **options
                        )
                    exchange = Exchange(
                        msg_id,
                        session=client.session.session,
                        deadline=deadline,
                        grace=GRACE if client.verifier.scheme.observes else None,
                    )
                    try:
                        await self._listening.until_over(exchange, channels, forwarding)
                    except BaseException:  # a task that was cancelled too
                        self._given_up.add(msg_id)
                        raise
                    if not (is_behind and exchange.was_aborted):
                        return exchange

    def _is_behind(self) -> bool:
        """Whether a cell that was given up may still run: what is sent now may be aborted."""
        waits_for = self._client.verifier.connection.waits_for
        self._given_up = {msg_id for msg_id in self._given_up if waits_for(msg_id)}
        return bool(self._given_up)

    def _asking(self, ask: Callable[[str, bool], object] | None) -> Handler:
        """Handles an input_request: asks the user."""
        asking = self._callback(ask or self._waits.ask)

        async def answer(question: Msg) -> None:
            content = question["content"]
            said = asking(str(content.get("prompt", "")), bool(content.get("password")))
            self._channels.answer_unless_over(await self._waits.settled(said), question)

        return self._waits.handler(answer)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its publications arrive here.

        Raises:
            KernelDied: it has ended, or did not answer in time; also a RuntimeError.
        """
        deadline, apart = deadline_in(timeout), self._channels.is_apart(Channel.CONTROL)
        turn = self._turns.turn
        async with turn(deadline), turn(deadline, control=apart, waits=False):
            await self._become_ready(timeout, deadline)

    async def _become_ready(self, timeout: float | None, deadline: float | None) -> None:
        grace, channels = READY_GRACE, self._channels.some(Channel.IOPUB, Channel.CONTROL)
        connection = self._client.verifier.connection
        try:
            await self._listening.join(Channel.CONTROL, timeout)
        except TimeoutError:
            raise KernelDied(self._client.why_silent(timeout)) from None
        while True:
            announced = grace if connection.announced else None
            exchange = self._listening.ask("kernel_info_request", {}, READY_TRY, announced)
            with contextlib.suppress(TimeoutError):
                await self._listening.until_over(exchange, channels)
            if exchange.idle or (exchange.over and not connection.announced):
                break
            if not await self._listening.lives():
                raise KernelDied(DIED)
            if deadline is not None and time.monotonic() > deadline:
                raise KernelDied(self._client.why_silent(timeout))
            grace = min(2 * grace, READY_TRY)
        with contextlib.suppress(TimeoutError):  # a busy kernel may take no handshake there
            await self._listening.join(Channel.SHELL, READY_TRY)

    async def auth_status(self, timeout: float = CONTROL_TIMEOUT) -> Ledger:
        """The kernel's own ledger, by an `auth_status_request`, which only ours answers.

        Raises:
            TimeoutError: no answer in `timeout` seconds.
        """
        status = await self.request_control("auth_status_request", timeout=timeout)
        return Ledger.from_status(status)

    async def interrupt(self, timeout: float = CONTROL_TIMEOUT) -> None:
        """Interrupt the cell that runs: by signal if the kernel is ours, else by message.

        Raises:
            TimeoutError: no answer to the message in `timeout` seconds.
            PermissionDenied: an invitation without the right.
        """
        self._turns.check_open()
        if (manager := self._client.manager) is not None:
            await self._waits.settled(manager.interrupt_kernel())
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
        apart = self._channels.is_apart(Channel.CONTROL)
        async with self._turns.turn(deadline_in(timeout), control=apart, waits=False):
            await self._listening.join(Channel.CONTROL, timeout)
            exchange = self._listening.ask(msg_type, content, timeout)
            await self._listening.until_over(exchange, self._channels.some(Channel.CONTROL))
        return exchange

    async def restart(self, timeout: float | None = 60.0) -> None:
        """End the kernel and start it anew on the same connection file.

        Raises:
            RuntimeError: the kernel was not launched here, or did not come up in time.
        """
        self._turns.check_open()
        if (manager := self._client.manager) is None:
            raise RuntimeError("only a kernel that was launched here can be restarted")
        await self._waits.settled(manager.restart_kernel())
        self._channels.renew()
        await self.wait_for_ready(timeout)
