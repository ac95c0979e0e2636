"""What a console asks a kernel besides cells, if this client may; nothing it asks is refused."""

from __future__ import annotations

import contextlib
import queue
import time
from typing import TYPE_CHECKING, Any

from minikernel.client.channels import HeartbeatChannel
from minikernel.errors import KernelDied, RequestLost

if TYPE_CHECKING:
    from minikernel import MiniKernelClient

PATIENCE = 2.0  # seconds that a question of ours may take: another client's cell may be running
SELDOM = 1.0  # seconds between two looks into the kernel's ledger
UNANSWERED = (TimeoutError, queue.Empty, RequestLost, KernelDied)


class Questions:
    """Asks, and takes no answer for an answer.

    Args:
        client: on the kernel.
    """

    def __init__(self, client: MiniKernelClient) -> None:
        self.rejected: int | None = None  # by the kernel; None: it does not tell
        self._client = client
        self.info = self._on_control("kernel_info_request")
        self._asked = -SELDOM

    def may(self, msg_type: str) -> bool:
        """Whether the kernel would let us."""
        return self._client.verifier.scheme.permits(msg_type)

    def ask(self, request: str, *arguments: object, **options: object) -> dict[str, Any]:
        """The content of a reply on shell; empty if none comes in time, or we may not ask."""
        if not self.may(f"{request}_request"):
            return {}
        method = getattr(self._client, request)
        try:
            reply = method(*arguments, reply=True, timeout=PATIENCE, **options)
        except UNANSWERED:
            return {}
        content: dict[str, Any] = reply["content"]
        return content

    def _on_control(self, msg_type: str) -> dict[str, Any]:
        """Ask on control, which answers while a cell runs."""
        with contextlib.suppress(*UNANSWERED):
            return self._client.request_control(msg_type, timeout=PATIENCE)
        return {}

    def count_rejected(self) -> None:
        """Ask how many messages the kernel has refused, if it is one of ours; not too often."""
        now = time.monotonic()
        if self.info.get("implementation") == "minikernel" and now - self._asked >= SELDOM:
            self._asked = now
            with contextlib.suppress(*UNANSWERED):
                self.rejected = self._client.auth_status(PATIENCE).rejected

    def end_kernel(self) -> bool:
        """Tell the kernel to end; whether it has heard."""
        return bool(self._on_control("shutdown_request"))

    def news(self) -> list[str]:
        """What the bottom line should say of the kernel's life."""
        beat = self._client.hb_channel
        silent = isinstance(beat, HeartbeatChannel) and beat.pings and not beat.is_beating()
        return ["no heartbeat: has the kernel ended?"] if silent else []
