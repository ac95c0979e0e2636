"""The control thread with real sockets and no engine: who is asked for input, and gone."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

import minikernel
from minikernel.auth.channel_hmac import NAME, TRAITS
from minikernel.auth.channel_hmac.kernel import ClientPeer, KernelEnd
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.interpreter.base import LanguageInfo
from minikernel.interpreter.plain import PlainEngine
from minikernel.kernel.chores import FreeDescriptors
from minikernel.kernel.comms import Comms
from minikernel.kernel.control import Control, Waker
from minikernel.kernel.handlers import Parts, describe
from minikernel.kernel.interrupts import Gate
from minikernel.kernel.port import Port
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.questions import Questions
from minikernel.kernel.refusals import Refusals
from minikernel.kernel.request import Asker, Requests
from minikernel.kernel.streams import Streams
from minikernel.protocol.end import Guards
from minikernel.protocol.kernel import KernelConnection
from minikernel.transport import connection
from minikernel.transport.log import Log
from minikernel.transport.loops import start_thread
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel
from minikernel.wire.content import REQUESTS
from minikernel.wire.message import EMPTY, HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20
INFO = LanguageInfo(
    name="none",
    version="0",
    mimetype="text/plain",
    file_extension=".txt",
    pygments_lexer="text",
    codemirror_mode="text",
    implementation="none",
    implementation_version="0",
    banner="",
    help_links=(),
)


class Engine(PlainEngine):
    """Runs nothing."""

    info = INFO


class Half:
    """A kernel under channel-hmac without shell and heartbeat, with a place for one client."""

    def __init__(self, path: Path) -> None:
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme=NAME, key="k" * 32
        )
        connection.write(path, fields)
        info, _ = connection.read(path)
        self.sockets = KernelSockets(info, handover=False)
        ports = {name: getattr(info, name) for name in connection.PORTS.values()}
        connection.write(path, {**fields, **ports})
        limits = SessionLimits(sessions=1, silence=0.0)
        self.end = KernelEnd(info.secret, entropy=os.urandom, limits=limits)
        clients = KernelChannelHmac(self.end)
        headers = HeaderFactory(os.urandom(16).hex(), "run", "", lambda: b'"2026-01-01T00:00:00Z"')
        kernel = KernelConnection(
            clients,
            TRAITS,
            headers,
            guards=Guards(buffers=False),
            contents=REQUESTS,
            clock=time.monotonic,
        )
        publisher = Publisher(
            self.sockets,
            kernel,
            Requests(),
            Gate(self.sockets.iopub_lock, Requests()),
            greets=False,
            on_more=lambda: None,
        )
        refusals, waker, requests = Refusals(publisher, Log(lambda: 2)), Waker(), Requests()
        stdin = Port(self.sockets.stdin, kernel, Channel.STDIN, refusals)
        self.questions = Questions(stdin, requests, waker.wake)
        engine = Engine(None, history_file=None)
        parts = Parts(
            engine=engine,
            info=describe(engine.info),
            ports=ports,
            connection=kernel,
            descriptors=FreeDescriptors(),
            requests=requests,
            publisher=publisher,
            streams=Streams(publisher.stream),
            comms=Comms(publisher, requests, lambda: None),
            questions=self.questions,
            interrupt=lambda: None,
            stop=lambda: None,
        )
        self.control = Control(
            Port(self.sockets.control, kernel, Channel.CONTROL, refusals),
            stdin,
            self.sockets.subscriptions,
            waker,
            parts,
            on_wake=lambda _: None,
            on_tick=lambda: None,
        )
        self.thread = start_thread("control", self.control.run)

    def close(self) -> None:
        self.control.end()
        self.thread.join(PATIENCE)
        self.sockets.heartbeat.close()
        self.sockets.close()


@pytest.fixture
def half(tmp_path: Path) -> Iterator[Half]:
    kernel = Half(tmp_path / "kernel.json")
    yield kernel
    kernel.close()


def test_input_ends_when_the_place_of_its_session_was_taken(half: Half, tmp_path: Path) -> None:
    ended = threading.Event()

    def ask(asker: Asker) -> None:
        with pytest.raises(EOFError):
            half.questions.ask(asker, "name? ", password=False)
        ended.set()

    path = tmp_path / "kernel.json"
    with minikernel.connect(path, timeout=PATIENCE):
        (session,) = half.end._table
        peer = ClientPeer(session.hex, (), *session.client, True, session)
        start_thread("cell", lambda: ask(Asker("", peer, EMPTY)))
        deadline = time.monotonic() + PATIENCE
        while not half.questions._open:
            assert time.monotonic() < deadline
        with minikernel.connect(path, timeout=PATIENCE):
            assert ended.wait(PATIENCE)
