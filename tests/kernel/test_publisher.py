"""The publisher with real sockets: what is published while it is sending."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
import zmq

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.kernel.interrupts import Gate
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.request import Requests
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import KernelConnection
from minikernel.transport import connection
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel
from minikernel.wire.message import HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20_000  # milliseconds


class Stage:
    """A publisher, a subscriber, and a finaliser that prints while a header is made."""

    def __init__(self) -> None:
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme="null", key=""
        )
        info = msgspec.convert(fields, connection.ConnectionInfo)
        self.sockets = KernelSockets(info, handover=False)
        headers = HeaderFactory("kernel", "1", "user", self._now)
        guards = Guards(own_session="kernel", run="r")
        scheme = create("null", SecretKey(b""))
        self.publisher = Publisher(
            self.sockets,
            KernelConnection(scheme, find("null").traits, headers, guards=guards),
            Requests(),
            Gate(self.sockets.iopub_lock, Requests()),
            greets=True,
            on_more=lambda: None,
        )
        self.garbage = 0  # objects whose finalisers print
        self.context = zmq.Context()
        self.subscriber = self.context.socket(zmq.SUB)
        self.subscriber.connect(info.url(Channel.IOPUB))

    def _now(self) -> bytes:
        if self.garbage:
            self.garbage -= 1
            self.publisher.stream("stdout", "from a finaliser")
        return b'""'

    def received(self, count: int) -> list[tuple[bytes, int]]:
        """Topic and number of the next messages."""
        found = []
        for _ in range(count):
            assert self.subscriber.poll(PATIENCE)
            topic, _, _, _, _, metadata, _ = self.subscriber.recv_multipart()
            found.append((topic, json.loads(metadata)["minikernel"]["sequence"]))
        return found

    def close(self) -> None:
        self.context.destroy(0)
        self.sockets.abandon()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_a_finaliser_that_prints_while_a_subscriber_is_greeted(stage: Stage) -> None:
    stage.subscriber.subscribe(b"")
    stage.garbage = 1
    while stage.garbage:
        stage.sockets.iopub.poll(PATIENCE)
        stage.publisher.welcome()
    assert stage.received(2) == [(b"", 1), (b"stream", 2)]
    assert not stage.sockets.iopub_lock._is_owned()


def test_a_finaliser_that_prints_while_a_message_is_published(stage: Stage) -> None:
    stage.subscriber.subscribe(b"")
    stage.sockets.iopub.poll(PATIENCE)
    stage.publisher.welcome()
    stage.garbage = 2
    stage.publisher.stream("stdout", "a cell's")
    assert stage.received(4) == [(b"", 1), *((b"stream", n) for n in (2, 3, 4))]
