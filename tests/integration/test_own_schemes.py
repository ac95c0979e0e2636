"""Schemes that this package does not know, in real kernels: one of a key, one with a handshake.

The kernel finds them as entry points; here they are put into the table while the test runs.
"""

from __future__ import annotations

import asyncio
import os
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zmq

import minikernel
from minikernel.auth import registry
from minikernel.auth.keys import SecretKey
from minikernel.auth.spec import Setup
from minikernel.errors import ConfigError
from minikernel.lab.attacks import BY_TITLE
from minikernel.lab.columns import Column
from minikernel.lab.evidence import Outcome
from minikernel.lab.matrix import play
from minikernel.transport import connection
from minikernel.transport.ring_file import beside
from minikernel.wire.frames import DELIMITER
from tests.schemes.package import ALL_FRAMES, TWO_NONCES, install_both

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.client.verifier import TraceEvent

pytestmark = pytest.mark.usefixtures("jupyter")
PATIENCE = 60  # seconds
SPECS = {
    "all-frames": runpy.run_path(str(ALL_FRAMES))["SPEC"],
    "two-nonces": runpy.run_path(str(TWO_NONCES))["SPEC"],
}


@pytest.fixture(params=SPECS)
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = [str(install_both(tmp_path / "site")), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    for known, spec in SPECS.items():
        monkeypatch.setitem(registry.SCHEMES, known, spec)
    return str(request.param)


def rejected(client: minikernel.MiniKernelClient) -> dict[str, int]:
    """What the kernel has refused on shell, by reason."""
    return dict(client.auth_status()["shell"].rejected)


def test_a_session_of_work(name: str) -> None:
    seen: list[TraceEvent] = []
    with minikernel.launch(scheme=name, timeout=PATIENCE, trace=seen.append) as client:
        assert client.run("6 * 7").value == "42"
        assert client.run("input('name? ')", on_input=lambda *_: "Ada").value == "'Ada'"
        assert client.run("print('a' * 100_000)").stdout == "a" * 100_000 + "\n"
        assert client.auth_status().rejected == 0
        assert not any(client.ledger[c].rejected for c in ("shell", "control", "stdin"))
        early = {"unknown session"}  # what was published before the kernel had named its run
        assert set(client.ledger["iopub"].rejected) <= early
        assert client.run("1 / 0").error is not None
        client.restart(timeout=PATIENCE)
        assert client.run("print('again'); 6 * 7").stdout == "again\n"
        assert client.ledger["shell"].verified >= 5
        assert client.ledger["iopub"].verified
        assert client.ledger["iopub"].gaps == 0
    assert {event.covers for event in seen} == {"all"}
    handshakes = [event for event in seen if event.msg_type == "handshake"]
    assert bool(handshakes) is SPECS[name].traits.handshake
    picture = next(e for e in seen if e.msg_type == "execute_request")._repr_html_()
    assert "covered by the signature" in picture


def test_two_clients_and_a_forked_child(name: str) -> None:
    with minikernel.launch(scheme=name, timeout=PATIENCE) as client:
        path = client.connection_file
        with minikernel.connect(path, scheme=name, timeout=PATIENCE) as other:
            assert other.run("x = 1").error is None
            assert client.run("x + 1").value == "2"
        code = "import os; child = os.fork() or os._exit(0); os.waitpid(child, 0)[1]"
        assert client.run(code).value == "0"
        assert client.run("x").value == "1"


def test_asyncio(name: str) -> None:
    async def work() -> str | None:
        async with minikernel.launch_async(scheme=name, timeout=PATIENCE) as client:
            return (await client.run("6 * 7")).value

    assert asyncio.run(work()) == "42"


def sent_again(client: minikernel.MiniKernelClient, frames: list[bytes]) -> None:
    """By a stranger, under the identity of the client's connection."""
    info, _ = connection.read(client.connection_file)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 1000
        socket.identity = client.session.bsession
        socket.connect(f"tcp://{info.ip}:{info.shell_port}")
        socket.send_multipart(frames[frames.index(DELIMITER) :])
        with minikernel.connect(client.connection_file, timeout=PATIENCE) as other:
            while not rejected(other):
                other.run("None")


def test_what_was_recorded_is_refused(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    seen: list[TraceEvent] = []
    with minikernel.launch(scheme=name, timeout=PATIENCE, trace=seen.append) as client:
        client.run(f"open({str(marker)!r}, 'a').write('x')")
        frames = next(list(e.frames) for e in seen if e.msg_type == "execute_request")
        remembers = SPECS[name].traits.replay_memory
        assert beside(Path(client.connection_file)).exists() is remembers
        sent_again(client, frames)
        with minikernel.connect(client.connection_file, timeout=PATIENCE) as other:
            assert rejected(other) == {"replayed" if remembers else "replayed counter": 1}
        assert marker.read_text() == "x"


# The lab's attacks on the one that has a key only; its column takes what it needs from the traits.


@pytest.mark.parametrize(
    "title",
    [
        "replay-in-the-same-run",
        "replay-after-a-restart",
        "reflect-comm",
        "change-a-buffer",
        "drop-output",
    ],
)
@pytest.mark.parametrize("name", ["all-frames"], indirect=True)
def test_the_lab_plays_attacks_on_it(name: str, title: str) -> None:
    finding = play(Column(name=name, letter="A", scheme=name), BY_TITLE[title])
    assert finding.outcome in {Outcome.STOPPED, Outcome.NOTICED}, finding


@pytest.mark.parametrize("name", ["two-nonces"], indirect=True)
def test_the_lab_knows_that_it_has_a_handshake(name: str) -> None:
    column = Column(name=name, letter="T", scheme=name)
    assert BY_TITLE["handshake-flood"]().applies(column)
    assert not BY_TITLE["handshake-flood"]().applies(
        Column(name="all-frames", letter="A", scheme="all-frames")
    )


@pytest.mark.parametrize("side", ["kernel", "client"])
def test_an_empty_key_is_refused(name: str, side: str) -> None:
    make: Callable[[Setup], Any] = getattr(SPECS[name], side)
    with pytest.raises(ConfigError, match="needs a key"):
        make(Setup(name, SecretKey(b""), bytes))
