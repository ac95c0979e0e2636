#!/usr/bin/env python3
"""What a message costs without sockets: sign and verify, with and without the guards."""

from __future__ import annotations

import time

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.scheme import Address
from minikernel.protocol.end import BARE, ChannelEnd, Guards
from minikernel.wire.channels import Channel, Role
from minikernel.wire.content import REQUESTS
from minikernel.wire.message import HeaderFactory

COUNT = 50_000
KEY = SecretKey(b"k" * 64)
KERNEL = Address(())


def end(role: Role, session: str, guards: Guards) -> ChannelEnd:
    memory = None if guards is BARE else ReplayMemory()
    headers = HeaderFactory(session, "1", "user", lambda: b'"2026-01-01T00:00:00.000000Z"')
    contents = REQUESTS if role is Role.KERNEL else None
    scheme = create("hmac-sha256", KEY, memory)
    return ChannelEnd(Channel.SHELL, role, scheme, headers, guards=guards, contents=contents)


def main() -> None:
    for title, guards in (("bare", BARE), ("guarded", Guards(own_session="kernel"))):
        client = end(Role.CLIENT, "client", BARE)
        kernel = end(Role.KERNEL, "kernel", guards)
        began = time.perf_counter()
        messages = [
            client.seal(client.compose(b"execute_request", {"code": "pass"}), KERNEL) or []
            for _ in range(COUNT)
        ]
        sent = time.perf_counter()
        for frames in messages:
            kernel.receive(frames)
        took = (sent - began) / COUNT * 1e6, (time.perf_counter() - sent) / COUNT * 1e6
        print(f"{title:8} send {took[0]:5.1f} us   receive {took[1]:5.1f} us")


if __name__ == "__main__":
    main()
