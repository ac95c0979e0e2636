"""Busy, handler, reply, idle: in this order, whatever the handler does."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zmq

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.kernel.handlers import Answer
from minikernel.kernel.interrupts import Gate
from minikernel.kernel.perform import Performer
from minikernel.kernel.port import Port
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.refusals import Refusals
from minikernel.kernel.request import Requests
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import KernelConnection
from minikernel.transport import connection
from minikernel.transport.log import Log
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel
from minikernel.wire.content import REQUESTS, ok
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minikernel.wire.message import Message

PATIENCE = 20_000  # milliseconds
HEADER = b'{"msg_id":"1","msg_type":"try_request","session":"s"}'


class Stage:
    """The shell of a kernel, its client, and what happens in which order."""

    def __init__(self) -> None:
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme="null", key=""
        )
        info = msgspec.convert(fields, connection.ConnectionInfo)
        self.sockets = KernelSockets(info, handover=False)
        self.sockets.shell.rcvtimeo = PATIENCE
        publisher = Publisher(
            self.sockets,
            self.connection(),
            Requests(),
            Gate(self.sockets.iopub_lock, Requests()),
            greets=True,
            on_more=lambda: None,
        )
        refusals = Refusals(publisher, Log(lambda: 2))
        self.port = Port(self.sockets.shell, self.connection(), Channel.SHELL, refusals)
        self.happened: list[str] = []
        parts: Any = SimpleNamespace(publisher=publisher)
        self.performer = Performer(
            self.port,
            parts,
            settle=lambda: self.happened.append("settled"),
            done=lambda: self.happened.append("done"),
            waiting=lambda: [self.message(b'{"msg_id":"2","msg_type":"x_request","session":"s"}')],
        )
        self.context = zmq.Context()
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.rcvtimeo = PATIENCE
        self.dealer.connect(info.url(Channel.SHELL))
        self.subscriber = self.context.socket(zmq.SUB)
        self.subscriber.rcvtimeo = PATIENCE
        self.subscriber.connect(info.url(Channel.IOPUB))
        self.subscriber.subscribe(b"")
        self.sockets.iopub.poll(PATIENCE)
        publisher.welcome()
        assert self.subscriber.recv_multipart()[3]

    def connection(self) -> KernelConnection:
        headers = HeaderFactory("kernel", "1", "user", lambda: b'""')
        scheme = create("null", SecretKey(b""))
        guards = Guards(own_session="kernel")
        traits = find("null").traits
        return KernelConnection(scheme, traits, headers, guards=guards, contents=REQUESTS)

    def message(self, header: bytes = HEADER) -> Message:
        self.dealer.send_multipart([DELIMITER, b"", header, b"{}", b"{}", b"{}"])
        message = self.port.take(self.port.inbox.wait())
        assert message is not None
        return message

    def perform(self, handler: Callable[..., Any]) -> None:
        request = self.performer.perform(self.message(), handler)
        with pytest.raises(StopIteration):
            request.send(None)

    def reply(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.dealer.recv_multipart()[-1])
        return content

    def published(self) -> list[str]:
        """States and types, up to the idle of the request."""
        found = []
        while found[-1:] != ["idle 1"]:
            topic, _, _, _, parent, _, content = self.subscriber.recv_multipart()[:7]
            state = json.loads(content).get("execution_state", topic.decode())
            found.append(f"{state} {json.loads(parent)['msg_id']}")
        return found

    def close(self) -> None:
        self.context.destroy(0)
        self.sockets.abandon()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_a_content_is_a_reply(stage: Stage) -> None:
    stage.perform(lambda _parts, _message: ok(said=1))
    assert stage.reply() == {"status": "ok", "said": 1}
    assert stage.published() == ["busy 1", "idle 1"]
    assert stage.happened == ["settled", "done"]


def test_a_coroutine_is_awaited(stage: Stage) -> None:
    async def handler(_parts: Any, _message: Message) -> Answer:
        return Answer(ok())

    stage.perform(handler)
    assert stage.reply() == {"status": "ok"}


def test_none_is_no_reply(stage: Stage) -> None:
    stage.perform(lambda _parts, _message: None)
    assert stage.published() == ["busy 1", "idle 1"]
    assert not stage.dealer.poll(0)


def test_what_is_done_then_comes_after_idle(stage: Stage) -> None:
    def then() -> None:
        stage.happened.extend(stage.published())

    stage.perform(lambda _parts, _message: Answer(ok(), is_public=True, then=then))
    assert stage.happened == ["settled", "done", "busy 1", "try_reply 1", "idle 1"]


def test_an_error_is_published_and_those_that_wait_are_done(stage: Stage) -> None:
    stage.perform(lambda _parts, _message: Answer(ok(), error={"ename": "E"}, aborts=True))
    assert [stage.reply()["status"], stage.reply()["ename"]] == ["ok", "UnknownRequest"]
    assert stage.published() == ["busy 1", "error 1", "busy 2", "idle 2", "idle 1"]


def test_a_handler_that_fails_costs_its_message(stage: Stage) -> None:
    stage.perform(lambda _parts, _message: 1 / 0)
    assert stage.reply()["ename"] == "InternalError"
    assert stage.published() == ["busy 1", "idle 1"]
    assert stage.happened == ["done"]
    assert stage.port.end.tally.rejected["internal error"] == 1


def test_what_is_no_json_is_an_error_reply(stage: Stage) -> None:
    stage.perform(lambda _parts, _message: {"it": object()})
    assert stage.reply()["ename"] == "TypeError"
