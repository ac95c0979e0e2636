"""What a client does before it leaves, and in a forked child, which is no client."""

from __future__ import annotations

import contextlib
import os
import weakref
from queue import Empty
from typing import TYPE_CHECKING, Any, Protocol

from minikernel.client.channels import deadline_in
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_client.channels import HBChannel

    from minikernel.client.verifier import Verifier

ANSWERING = (Channel.CONTROL, Channel.SHELL, Channel.STDIN)
MOMENT = 0.1  # seconds for bind_replies that a busy kernel owes

_with_keys: weakref.WeakSet[Keyed] = weakref.WeakSet()


class Keyed(Protocol):
    """What holds keys."""

    def forget_keys(self) -> None:
        """Have them no more, in a child after a fork (channel-hmac, section 4)."""


def say_goodbye(
    verifier: Verifier | None,
    heartbeat: HBChannel | None,
    channels: Mapping[Channel, Any],
) -> None:
    """Give our place back at once (channel-hmac, section 3), if we wait for nothing more.

    Args:
        verifier: of the client; None: it has sent nothing yet.
        heartbeat: its channel; None: it was never opened.
        channels: those that are open.
    """
    if verifier is None or not verifier.traits.handshake or Channel.CONTROL not in channels:
        return
    if heartbeat is not None:
        heartbeat.pause()  # the kernel counts what comes after a goodbye
    answering = [channel.receiver for name, channel in channels.items() if name in ANSWERING]
    for receiver in answering:
        receiver.discard()
    deadline = deadline_in(MOMENT)
    with contextlib.suppress(Empty):
        for receiver in answering:
            receiver.await_binding(deadline)
    for name, frames in verifier.farewells():
        channels[name].receiver.offer_frames(frames)


def forget_in_child(client: Keyed) -> None:
    """Have a client forget its keys in a child after a fork (channel-hmac, section 4)."""
    _with_keys.add(client)


def _forget_all() -> None:
    for client in list(_with_keys):
        client.forget_keys()


os.register_at_fork(after_in_child=_forget_all)
