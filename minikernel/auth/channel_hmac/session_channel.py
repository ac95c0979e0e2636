"""One channel of one channel-hmac session, at one end: its keys, counters and route."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.frames import Type, data_tag, header, keyed, mac
from minikernel.auth.channel_hmac.keys import Direction
from minikernel.auth.counter import Counter, Numbering
from minikernel.auth.locks import RLock
from minikernel.errors import BadSignature, WrongRoute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikernel.auth.channel_hmac.frames import Tagged
    from minikernel.auth.channel_hmac.keys import SessionKeys
    from minikernel.wire.channels import Channel
    from minikernel.wire.peer import Route


class SessionChannel:
    """Seals and admits. Whoever calls `admit` holds the lock, and so does a sender.

    A sender holds it until the frames are handed over, so that counters go out in order
    (section 4); it may be taken again by the thread that has it.

    Args:
        session: the session id.
        channel: which.
        keys: of the session.
        sends: the direction that this end sends in.
    """

    def __init__(
        self, session: bytes, channel: Channel, keys: SessionKeys, sends: Direction
    ) -> None:
        receives = Direction.TO_KERNEL if sends is Direction.TO_CLIENT else Direction.TO_CLIENT
        self.lock = RLock()
        self.route: Route | None = None
        self.sent = Numbering()
        self.received = Counter()
        self._session = session
        self._channel = channel
        self._sending = keyed(keys.key(channel, sends))
        self._receiving = keyed(keys.key(channel, receives))

    def seal(self, frames: Sequence[bytes]) -> bytes:
        """DATA for these frames. Raises LocalProtocolError when the counter is used up."""
        with self.lock:
            head = header(Type.DATA, self._channel, self._session, self.sent.draw())
            return head + data_tag(self._sending, head, frames)

    def ping(self) -> bytes:
        """The next PING."""
        with self.lock:
            return self.tagged(Type.PING, self.sent.draw())

    def tagged(self, kind: Type, counter: int) -> bytes:
        """A PING or PONG with this counter."""
        head = header(kind, self._channel, self._session, counter)
        return head + mac(self._sending, head)

    def admit(
        self, received: Tagged, frames: Sequence[bytes] | None, route: Route | None = None
    ) -> int:
        """Check, verify, mark (section 5, steps 3 to 6); the number of counters skipped.

        Args:
            received: what AUTH says.
            frames: after AUTH; None for PING and PONG.
            route: the identities before it; None: routes don't count here.

        Raises:
            AuthError: nothing has changed.
        """
        if self.route is not None and route != self.route:
            raise WrongRoute("this connection is not the session's")
        self.received.check(received.counter)
        if frames is None:
            expected = mac(self._receiving, received.header)
        else:
            expected = data_tag(self._receiving, received.header, frames)
        if not hmac.compare_digest(expected, received.tag):
            raise BadSignature("the tag does not match")
        self.route = route
        return self.received.mark(received.counter)
