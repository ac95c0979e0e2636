"""Who subscribes to iopub at the front; each is greeted, if the kernel behind greets (JEP 65)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.wire.channels import Channel
from minikernel.wire.message import EMPTY

if TYPE_CHECKING:
    from minikernel.bridge.front import Front

WELCOME = b"iopub_welcome"
SUBSCRIBE = b"\x01"
GREETINGS = 100  # that go out in a second


class Subscribers:
    """Greets subscribers in the kernel's place: to it, the bridge is the only one.

    Args:
        front: where they are.
        greets: whether the kernel does.
    """

    def __init__(self, front: Front, *, greets: bool) -> None:
        self._front = front
        self._greets = greets
        self._owed: dict[bytes, None] = {}  # topics whose new subscribers are not greeted yet
        self._left = GREETINGS

    def take(self) -> None:
        """Look at subscriptions that have come."""
        for frames in self._front.inboxes[Channel.IOPUB].some():
            if self._greets and len(frames) == 1 and frames[0].startswith(SUBSCRIBE):
                topic = frames[0].removeprefix(SUBSCRIBE)
                if not topic or len(self._owed) < GREETINGS:
                    self._owed[topic] = None
        self._greet()

    def renew(self) -> None:
        """A second is over: greet those for whom there was no greeting left in it."""
        self._left = GREETINGS
        self._greet()

    def _greet(self) -> None:
        """All subscribers of a topic see its greeting: those that come together share one."""
        for topic in [*self._owed][: self._left]:
            self._left -= 1
            del self._owed[topic]
            content = {"subscription": topic.decode("utf-8", "replace")}
            self._front.publish(WELCOME, content, parent=EMPTY, topic=topic)
