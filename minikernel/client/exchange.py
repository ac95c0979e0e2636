"""One request and all that answers it: when is it over? No sockets, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.client.escape import shortened
from minikernel.errors import LocalProtocolError, PermissionDenied
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minikernel.client.verifier import Msg

REFUSAL_LENGTH = 200  # characters
GRACE = 1.0  # seconds without output after the reply; then `idle` was lost on the way


class Admission:
    """Over when requests may be sent: after a handshake, or when there is room for them.

    Args:
        is_ready: tells whether they may.
        deadline: until when it must be over, in seconds of the caller's clock; None: never.
    """

    def __init__(self, is_ready: Callable[[], bool], *, deadline: float | None) -> None:
        self._is_ready = is_ready
        self._deadline = deadline

    @property
    def over(self) -> bool:
        """Whether requests may be sent."""
        return self._is_ready()

    def take(self, *_: object) -> bool:
        """No message that a handshake leaves over belongs to it."""
        return False

    def wait(self, now: float) -> float | None:
        """Seconds until the deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - now)

    def lapse(self, now: float, *, quiet: bool) -> None:  # noqa: ARG002 - as Exchange.lapse
        """Raises TimeoutError if the deadline is over."""
        if self._deadline is not None and now >= self._deadline and not self.over:
            raise TimeoutError("the kernel takes no requests")


class Exchange:
    """Over when the reply has come and, on iopub, the kernel is idle again.

    A kernel that publishes more than a client takes drops messages, `idle` too. Then the reply
    ends the exchange, after a while without output.

    Args:
        msg_id: of the request.
        session: of the client; another one's request may have the same msg_id.
        replies: the channel on which it was sent.
        deadline: until when it must be over, in seconds of the caller's clock; None: never.
        grace: how long after the reply to wait for `idle`, in seconds; None: not at all.
    """

    def __init__(
        self,
        msg_id: str,
        *,
        session: str,
        replies: Channel = Channel.SHELL,
        deadline: float | None = None,
        grace: float | None = GRACE,
    ) -> None:
        self.msg_id = msg_id
        self.session = session
        self.deadline = deadline
        self.reply: Msg | None = None
        self.over = False
        self._states: list[object] = []  # that the kernel published about this request
        self._replies = replies
        self._grace = grace
        self._last = 0.0

    @property
    def idle(self) -> bool:
        """Whether the kernel said that the request is done, or refused to begin."""
        return "idle" in self._states or self._is_denied

    @property
    def complete(self) -> bool:
        """Whether all that was published about it has come, from one busy to one idle."""
        states = self._states
        return (states.count("busy"), states.count("idle")) == (1, 1) or self._is_denied

    @property
    def _is_denied(self) -> bool:
        """A request without its right goes without busy and idle."""
        return self.reply is not None and is_denial(self.reply["content"])

    @property
    def granted(self) -> Mapping[str, object]:
        """The content of the answer.

        Raises:
            PermissionDenied: it says that this client has not the right.
        """
        content: Mapping[str, object] = self.answer["content"]
        if is_denial(content):
            raise PermissionDenied(shortened(str(content.get("evalue", "")), REFUSAL_LENGTH))
        return content

    @property
    def answer(self) -> Msg:
        """The reply of an exchange that is over."""
        if self.reply is None:
            raise LocalProtocolError("no reply has come yet")
        return self.reply

    @property
    def was_aborted(self) -> bool:
        """Whether the answer says that the kernel did not run this cell."""
        return bool(self.answer["content"].get("status") == "aborted")

    def take(self, channel: Channel, msg: Msg, now: float) -> bool:
        """Whether this message belongs to the exchange."""
        parent = msg["parent_header"]
        if parent.get("msg_id") != self.msg_id or parent.get("session") != self.session:
            return False
        self._last = now
        if channel is self._replies:
            self.reply = msg
        elif channel is Channel.IOPUB and msg["msg_type"] == "status":
            self._states.append(msg["content"].get("execution_state"))
        self.over = self.reply is not None and (self.idle or self._grace is None)
        return True

    def wait(self, now: float) -> float | None:
        """Seconds after which `lapse` has something to say; None: only when messages come."""
        moments = [m for m in (self.deadline, self._end_of_grace) if m is not None]
        return max(0.0, min(moments) - now) if moments else None

    def lapse(self, now: float, *, quiet: bool) -> None:
        """Time has passed; end the exchange if it has waited long enough.

        Args:
            now: the time, by the same clock as the deadline.
            quiet: whether no authentic message has come since the last call.

        Raises:
            TimeoutError: the deadline is over.
        """
        end = self._end_of_grace
        if quiet and end is not None and now >= end:
            self.over = True
        elif self.deadline is not None and now >= self.deadline and not self.over:
            raise TimeoutError("Timeout waiting for output")

    @property
    def _end_of_grace(self) -> float | None:
        return None if self.reply is None or self._grace is None else self._last + self._grace


def is_denial(content: Mapping[str, object]) -> bool:
    """Whether the reply says that this client has not the right (channel-hmac, section 2).

    A cell that raises PermissionError has a number.
    """
    return content.get("ename") == PermissionDenied.ename and "execution_count" not in content
