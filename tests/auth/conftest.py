from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.channel_hmac.client import ClientEnd, ClientSession
from minikernel.auth.channel_hmac.kernel import ClientPeer, KernelEnd
from minikernel.auth.channel_hmac.keys import Credential, Master
from minikernel.auth.keys import SecretKey
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAMES = [b'{"msg_id":"1"}', b"{}", b"{}", b"{}", b"buffer"]


class Visitor:
    """A client of channel-hmac and its connections, in memory."""

    def __init__(self, stage: Stage, credential: Credential) -> None:
        self.stage = stage
        self.end = ClientEnd(credential, entropy=os.urandom)
        self.routes = {channel: (os.urandom(5),) for channel in Channel}

    @property
    def session(self) -> ClientSession:
        session = self.end.candidate or self.end.session
        assert session is not None
        return session

    def shake(self) -> ClientSession:
        challenge = self.stage.kernel.hello(self.end.hello(), self.stage.now)
        return self.end.challenge(challenge)

    def seal(self, channel: Channel, frames: Sequence[bytes] = FRAMES) -> bytes:
        return self.session.seal(channel, frames)

    def send(self, channel: Channel, frames: Sequence[bytes] = FRAMES) -> ClientPeer:
        return self.deliver(channel, self.seal(channel, frames), frames)

    def deliver(
        self, channel: Channel, auth: bytes, frames: Sequence[bytes] = FRAMES
    ) -> ClientPeer:
        route = self.routes[channel]
        return self.stage.kernel.open(channel, auth, frames, route, self.stage.now)

    def bind(self, replaces: str | None = None) -> Any:
        """Send bind_request on control; the account of what it replaced."""
        return self.stage.kernel.bind(self.send(Channel.CONTROL), replaces, self.stage.now)

    def join(self) -> ClientPeer:
        """The whole way in; the peer as shell sees it."""
        self.shake()
        self.bind()
        self.end.bound()
        return self.send(Channel.SHELL)


class Stage:
    """A kernel of channel-hmac in memory, with a clock to set."""

    def __init__(self, **options: Any) -> None:
        self.now = 1000.0
        self.master = Master(SecretKey(b"a master key of 32 bytes or more"))
        key = SecretKey(b"a master key of 32 bytes or more")
        self.kernel = KernelEnd(key, entropy=os.urandom, **options)

    def owner(self) -> Visitor:
        return Visitor(self, self.master.owner())

    def guest(self, name: str = "alice", rights: int = 255) -> Visitor:
        return Visitor(self, self.master.invite(name, rights))


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
def stage_with() -> type[Stage]:
    return Stage
