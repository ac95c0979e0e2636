"""What became of the requests of a session when another took its place (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minikernel.auth.channel_hmac.frames import Type, parse_tagged
from minikernel.auth.scheme import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.auth.channel_hmac.client import ClientSession
    from minikernel.auth.channel_hmac.frames import Tagged
    from minikernel.wire.channels import Channel


class ReplacedSession(NamedTuple):
    """The session before."""

    session: ClientSession
    account: Mapping[str, object]  # the kernel's, in the bind_reply; empty: it knows it no more
    restarted: bool

    def fates(
        self, asked: Mapping[Channel, Mapping[str, bytes]], new: bytes | None
    ) -> dict[tuple[Channel, str], Fate]:
        """What became of requests that are not answered yet.

        Args:
            asked: by channel, msg_id -> DATA, in the order of sending.
            new: id of the session in force.
        """
        fates: dict[tuple[Channel, str], Fate] = {}
        for channel, signatures in asked.items():
            sent = {m: parse_tagged(auth, Type.DATA, channel) for m, auth in signatures.items()}
            known = self._on(channel, sent, new)
            fates.update(((channel, msg_id), fate) for msg_id, fate in known.items())
        return fates

    def _on(
        self, channel: Channel, sent: Mapping[str, Tagged], new: bytes | None
    ) -> dict[str, Fate]:
        known = Fate.COMING if self._knows(channel) else Fate.UNKNOWN
        of_old = {m: t.counter for m, t in sent.items() if t.session == self.session.id}
        # Those of the sessions before it, which it inherited, were to be answered first.
        fates = {m: known for m, t in sent.items() if m not in of_old and t.session != new}
        fates.update(self._own(channel, of_old))
        coming = [m for m, fate in fates.items() if fate is Fate.COMING]
        return fates | dict.fromkeys(coming[: self._missing(channel)], Fate.RAN)

    def _own(self, channel: Channel, counters: Mapping[str, int]) -> dict[str, Fate]:
        accepted = self._number("accepted", channel)
        if self.restarted or accepted is None:
            return dict.fromkeys(counters, Fate.UNKNOWN)
        certain = Fate.COMING if self._number("gaps", channel) == 0 else Fate.UNKNOWN
        return {m: certain if n <= accepted else Fate.NEVER_RAN for m, n in counters.items()}

    def _knows(self, channel: Channel) -> bool:
        return not self.restarted and self._number("accepted", channel) is not None

    def _number(self, name: str, channel: Channel) -> int | None:
        numbers = self.account.get(name)
        value = numbers.get(channel.value) if isinstance(numbers, dict) else None
        return value if isinstance(value, int) else None

    def _missing(self, channel: Channel) -> int:
        """Replies that were lost, of the first requests: they come in the requests' order."""
        received = self.session.channels[channel].received
        return received.gaps + max(0, (self._number("sent", channel) or 0) - received.last)
