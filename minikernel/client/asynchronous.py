"""The asyncio client: like the blocking one, with coroutines."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from jupyter_client.asynchronous.client import AsyncKernelClient
from traitlets import Type

from minikernel.client.asynchronous_channels import AsyncVerifyingChannel
from minikernel.client.base import VerifyingClient
from minikernel.client.channels import HeartbeatChannel
from minikernel.client.conversation import Conversation
from minikernel.client.waiting import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Concatenate

    from jupyter_client.channels import AsyncZMQSocketChannel
    from typing_extensions import Self

_P = ParamSpec("_P")
_T = TypeVar("_T")

CHANNEL: type[AsyncZMQSocketChannel] = AsyncVerifyingChannel  # as the base class declares it


def awaited(
    method: Callable[Concatenate[Conversation, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[AsyncMiniKernelClient, _P], Coroutine[Any, Any, _T]]:
    """A method of a client's that does what one of its conversation does."""

    @wraps(method)
    async def call(self: AsyncMiniKernelClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await method(self._conversation, *args, **kwargs)

    return call


class AsyncMiniKernelClient(VerifyingClient, AsyncKernelClient):
    """`MiniKernelClient` for asyncio; callbacks may be coroutine functions.

    Ctrl-C is asyncio's business: it cancels the wait.
    """

    shell_channel_class = Type(CHANNEL)
    iopub_channel_class = Type(CHANNEL)
    stdin_channel_class = Type(CHANNEL)
    control_channel_class = Type(CHANNEL)
    hb_channel_class = Type(HeartbeatChannel)

    _waits = Tasks

    run = awaited(Conversation.run)
    execute_interactive = awaited(Conversation.execute_interactive)
    wait_for_ready = awaited(Conversation.wait_for_ready)
    auth_status = awaited(Conversation.auth_status)
    interrupt = awaited(Conversation.interrupt)
    request_control = awaited(Conversation.request_control)
    restart = awaited(Conversation.restart)

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
        await self._turns.close()
