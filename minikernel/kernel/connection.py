"""The kernel's side of its channels: what it checks, and how it dates what it says."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from minikernel.auth.keys import kernel_session_id
from minikernel.protocol.end import BARE, Guards
from minikernel.protocol.kernel import KernelConnection
from minikernel.transport.birth import started
from minikernel.transport.clock import Clock
from minikernel.wire.channels import Role
from minikernel.wire.content import REQUESTS
from minikernel.wire.message import HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.auth.keys import SecretKey
    from minikernel.auth.scheme import KernelSide
    from minikernel.auth.spec import Traits
    from minikernel.kernel.options import Options


def make_connection(
    scheme: KernelSide, traits: Traits, key: SecretKey, options: Options
) -> KernelConnection:
    """The kernel's side, without its sockets.

    Args:
        scheme: signs and verifies.
        traits: of the scheme.
        key: of the connection file.
        options: how to run.
    """
    session = kernel_session_id(key) if traits.replay_memory else os.urandom(16).hex()
    run = os.urandom(4).hex()
    return KernelConnection(
        scheme,
        traits,
        HeaderFactory(session, run, os.environ.get("USER", ""), _dates()),
        guards=_guards(traits, options, session, run),
        contents=REQUESTS,
        now=time.time,
        clock=Clock.monotonic,
    )


def _guards(traits: Traits, options: Options, session: str, run: str) -> Guards:
    """What is checked beyond the signature: what the scheme does not see to itself.

    Args:
        traits: of the scheme.
        options: how to run.
        session: of our own messages.
        run: of the numbers of what is published.
    """
    buffers, begun = Role.KERNEL in traits.digests, started()
    if traits.sessions:  # a direction has keys of its own, and a message its number
        return Guards(buffers=buffers, max_age=options.max_age)
    if not options.guards:
        return replace(BARE, started=begun)
    return Guards(
        own_session=session, buffers=buffers, max_age=options.max_age, run=run, started=begun
    )


def _dates() -> Callable[[], bytes]:
    """What gives the date of a message, whatever `datetime` is in this module later."""
    now, utc, encode = datetime.now, timezone.utc, msgspec.json.encode
    return lambda: encode(now(utc))
