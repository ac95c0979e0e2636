"""The control thread with real sockets and no engine: who is asked for input, and gone."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

import minikernel
from minikernel.auth.channel_hmac import KernelChannelHmac
from minikernel.auth.channel_hmac_kernel import ClientPeer, KernelEnd
from minikernel.auth.channel_hmac_sessions import Places
from minikernel.auth.registry import CHANNEL_HMAC
from minikernel.interpreter.base import LanguageInfo
from minikernel.kernel.control import Asker, Control
from minikernel.kernel.dispatch import Dispatch
from minikernel.kernel.publisher import Publisher
from minikernel.kernel.refusals import Log, Refusals
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.transport import connection
from minikernel.transport.loops import start_thread
from minikernel.transport.sockets import KernelSockets
from minikernel.wire.channels import Channel, Role
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


class Half:
    """A kernel under channel-hmac without shell and heartbeat, with a place for one client."""

    def __init__(self, path: Path) -> None:
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme=CHANNEL_HMAC, key="k" * 32
        )
        connection.write(path, fields)
        info, _ = connection.read(path)
        self.sockets = KernelSockets(info, handover=False)
        ports = {name: getattr(info, name) for name in connection.PORTS.values()}
        connection.write(path, {**fields, **ports})
        places = Places(sessions=1, silence=0.0)
        self.end = KernelEnd(info.secret, entropy=os.urandom, places=places)
        clients = KernelChannelHmac(self.end, time.monotonic)
        headers = HeaderFactory(os.urandom(16).hex(), "run", "", lambda: b'"2026-01-01T00:00:00Z"')
        ends = {
            channel: ChannelEnd(
                channel,
                Role.KERNEL,
                clients,
                headers,
                guards=Guards(buffers=False),
                contents=REQUESTS,
            )
            for channel in (Channel.CONTROL, Channel.STDIN, Channel.IOPUB)
        }
        publisher = Publisher(
            self.sockets,
            ends[Channel.IOPUB],
            greets=False,
            on_deferred=lambda: None,
            on_more=lambda: None,
        )
        self.control = Control(
            self.sockets,
            ends[Channel.CONTROL],
            ends[Channel.STDIN],
            clients=clients,
            dispatch=Dispatch(INFO, ports, ends.values(), clients.gaps),
            publisher=publisher,
            refusals=Refusals(publisher, Log(lambda: 2)),
            effects=lambda _: None,
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
            half.control.ask(asker, "name? ", password=False)
        ended.set()

    path = tmp_path / "kernel.json"
    with minikernel.connect(path, timeout=PATIENCE):
        (session,) = half.end._table
        peer = ClientPeer(session.hex, (), *session.client, True, session)
        start_thread("cell", lambda: ask(Asker("", peer, EMPTY)))
        deadline = time.monotonic() + PATIENCE
        while half.control._open is None:
            assert time.monotonic() < deadline
        with minikernel.connect(path, timeout=PATIENCE):
            assert ended.wait(PATIENCE)
