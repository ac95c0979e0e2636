from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zmq

from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.kernel import KernelEnd
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.kernel.interrupts import Gate
from minikernel.kernel.port import Port
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.refusals import Refusals
from minikernel.kernel.request import Requests
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import KernelConnection
from minikernel.transport import connection
from minikernel.transport.log import Log
from minikernel.transport.sockets import Inbox, KernelSockets
from minikernel.wire.channels import Channel
from minikernel.wire.content import REQUESTS
from minikernel.wire.frames import DELIMITER
from minikernel.wire.message import HeaderFactory
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel.auth.scheme import KernelSide

PATIENCE = 20_000  # milliseconds
SECRET = SecretKey(b"a key of 32 bytes, or some more")
INFO = [b'{"msg_id":"1","msg_type":"kernel_info_request","session":"s"}', b"{}", b"{}", b"{}"]
BAD = [b'{"msg_id":"1","msg_type":"execute_request","session":"s"}', b"{}", b"{}", b"{}"]


class Wire:
    """The sockets of a kernel, and the connections of clients to that of stdin."""

    def __init__(self) -> None:
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key=""
        )
        self.info = msgspec.convert(fields, connection.ConnectionInfo)
        self.kernel = KernelSockets(self.info, handover=False)
        self.router = self.kernel.stdin
        self.router.rcvtimeo = PATIENCE
        self.context = zmq.Context()
        self.dealers: list[zmq.Socket[bytes]] = []

    def dealer(self) -> zmq.Socket[bytes]:
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.rcvtimeo = PATIENCE
        dealer.connect(self.info.url(Channel.STDIN))
        self.dealers.append(dealer)
        return dealer

    def connection(self, scheme: KernelSide) -> KernelConnection:
        headers = HeaderFactory("kernel", "1", "user", lambda: b'""')
        guards = Guards(own_session="kernel")
        traits = find("null").traits
        return KernelConnection(scheme, traits, headers, guards=guards, contents=REQUESTS)

    def port(self, scheme: KernelSide, channel: Channel = Channel.SHELL) -> Port:
        connection = self.connection(scheme)
        publisher = Publisher(
            self.kernel,
            connection,
            Requests(),
            Gate(self.kernel.iopub_lock, Requests()),
            greets=False,
            on_more=lambda: None,
        )
        return Port(self.router, connection, channel, Refusals(publisher, Log(lambda: 2)))

    def close(self) -> None:
        for dealer in self.dealers:
            dealer.close()
        self.context.term()
        self.kernel.abandon()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


def test_a_request_and_its_reply(wire: Wire) -> None:
    port, dealer = wire.port(create("null", SecretKey(b""))), wire.dealer()
    dealer.send_multipart([DELIMITER, b"", *INFO])
    message = port.take(Inbox(wire.router).wait())
    assert message is not None
    assert port.send(port.end.compose(b"kernel_info_reply", b"{}"), message.peer)
    assert dealer.recv_multipart()[-1] == b"{}"
    assert not port.sending


def test_who_is_not_there_gets_nothing(wire: Wire) -> None:
    port = wire.port(create("null", SecretKey(b"")))
    assert not port.send(port.end.compose(b"status", b"{}"), Address((b"nobody",)))
    assert not port.sending


def test_a_socket_that_fails_is_told_and_leaves_nothing_half_sent(wire: Wire) -> None:
    port = wire.port(create("null", SecretKey(b"")))
    wire.router.close()
    with pytest.raises(zmq.ZMQError):
        port.send(port.end.compose(b"status", b"{}"), Address((b"x",)))
    assert not port.sending


def test_junk_gets_silence_and_what_is_authentic_an_error(wire: Wire) -> None:
    port, dealer = wire.port(create("clear-key", SECRET)), wire.dealer()
    signature = create("clear-key", SECRET).seal(Channel.SHELL, BAD, Address(()))
    assert signature is not None
    for auth in (b"junk", signature.signature):
        dealer.send_multipart([DELIMITER, auth, *BAD])
        assert port.take(Inbox(wire.router).wait()) is None
    assert b'"execute_reply"' in dealer.recv_multipart()[2]
    assert port.end.tally.rejected == {"bad signature": 1, "refused": 1}
    assert port.end.tally.sent == 1


def test_a_greeting_is_no_message(wire: Wire) -> None:
    port, dealer = wire.port(create("clear-key", SECRET)), wire.dealer()
    dealer.send_multipart([DELIMITER, b"HELLO"])
    assert port.take(Inbox(wire.router).wait()) is None
    assert port.end.tally.rejected == {"framing": 1}


class Session:
    """A client's session of channel-hmac, bound on control; the kernel's shell is a port."""

    def __init__(self, wire: Wire) -> None:
        self.kernel = KernelEnd(SECRET, entropy=os.urandom)
        self.scheme = KernelChannelHmac(self.kernel)
        self.client = ClientEnd(Master(SECRET).owner(), entropy=os.urandom)
        self.control = wire.port(self.scheme, Channel.CONTROL)
        self.shell = wire.port(self.scheme)
        self.dealer = wire.dealer()
        self.dealer.send_multipart([DELIMITER, self.client.hello()])
        assert self.control.take(Inbox(wire.router).wait()) is None
        delimiter, challenge = self.dealer.recv_multipart()
        assert delimiter == DELIMITER
        self.session = self.client.challenge(challenge)
        self.peer = self.tell(wire, self.control, Channel.CONTROL)

    def tell(self, wire: Wire, port: Port, channel: Channel) -> Any:
        auth = self.session.seal(channel, INFO)
        self.dealer.send_multipart([DELIMITER, auth, *INFO])
        message = port.take(Inbox(wire.router).wait())
        assert message is not None
        return message.peer


def test_messages_are_kept_until_the_way_is_known(wire: Wire) -> None:
    session = Session(wire)
    port = session.shell
    for content in (b'{"n":1}', b'{"n":2}'):
        assert port.send(port.end.compose(b"comm_msg", content), session.peer)
    assert port.end.tally.sent == 0
    stranger = wire.dealer()
    stranger.send_multipart([DELIMITER, b"junk", *INFO])
    assert port.take(Inbox(wire.router).wait()) is None
    assert port.end.tally.sent == 0
    session.tell(wire, port, Channel.SHELL)
    received = [session.dealer.recv_multipart() for _ in range(2)]
    assert [frames[-1] for frames in received] == [b'{"n":1}', b'{"n":2}']
    session.tell(wire, port, Channel.SHELL)  # and sends nothing twice
    assert port.end.tally.sent == 2


def test_what_was_kept_for_who_has_gone_is_dropped(wire: Wire) -> None:
    session = Session(wire)
    port = session.shell
    port.send(port.end.compose(b"comm_msg", b"{}"), session.peer)
    gone = session.peer
    session.kernel.expire(900.0)
    assert not port.send(port.end.compose(b"comm_msg", b"{}"), gone)
    challenge = session.kernel.hello(session.client.hello(), 900.0)
    session.session = session.client.challenge(challenge)
    session.tell(wire, session.control, Channel.CONTROL)
    session.tell(wire, port, Channel.SHELL)
    assert port.end.tally.sent == 0
