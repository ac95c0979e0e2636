"""The scheme challenge-once on a whole kernel: who is let in, and what it lets through.

The attackers here hold no key. Each attack ends with what they got (docs/challenge.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from minikernel.auth.challenge import FAILURE, WELCOME, Challenger, Responder
from minikernel.auth.challenge_once.client import ClientChallengeOnce
from minikernel.auth.challenge_once.kernel import KNOCK, challenge_key
from minikernel.auth.keys import SecretKey
from minikernel.transport import connection
from minikernel.wire.channels import Channel
from tests.conftest import DELIMITER, PATIENCE, KernelProcess, RawClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Socket = zmq.Socket[bytes]

SCHEME = {"signature_scheme": "challenge-once"}
CHANNELS = ("control", "shell", "stdin")


class Speaker(RawClient):
    """Says on the wire what a test wants; the signature frame is empty."""

    def __init__(
        self, info: dict[str, Any], session: str | None = None, reconnect: int = -1
    ) -> None:
        self.reconnect = reconnect  # ms; -1: a connection that is lost stays lost
        self.others: list[Socket] = []  # closed with the context
        self.master = SecretKey(info["key"].encode())
        self.secret = challenge_key(self.master)
        super().__init__({**info, "key": ""}, session=session)

    def connect(
        self,
        kind: int,
        channel: str,
        subscribe: bytes | None = None,
        identity: bytes | None = None,
    ) -> Socket:
        socket = self.context.socket(kind)
        socket.reconnect_ivl = self.reconnect
        if kind == zmq.DEALER:
            socket.identity = identity or self.session.encode()
        if subscribe is not None:
            socket.subscribe(subscribe)
        socket.connect(f"tcp://127.0.0.1:{self.info[f'{channel}_port']}")
        return socket

    def say(self, socket: Socket, frame: bytes) -> None:
        socket.send_multipart([DELIMITER, frame])

    def hear(self, socket: Socket) -> bytes:
        assert socket.poll(PATIENCE * 1000), "no answer"
        delimiter, frame = socket.recv_multipart()
        assert delimiter == DELIMITER
        return frame

    def ask(self, socket: Socket, frame: bytes) -> bytes:
        self.say(socket, frame)
        return self.hear(socket)

    def shake(self, socket: Socket) -> None:
        challenge = self.ask(socket, KNOCK)
        assert self.ask(socket, Responder(self.secret).answer(challenge)) == WELCOME
        own = Challenger(self.secret, nonce=os.urandom(40))
        self.say(socket, own.verify(self.ask(socket, own.challenge)))

    def join(self) -> Speaker:
        for channel in CHANNELS:
            self.shake(getattr(self, channel))
        return self


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelProcess]:
    process = KernelProcess(
        tmp_path_factory.mktemp("kernel"), "--scheme", "challenge-once", **SCHEME
    )
    yield process
    process.close()


@pytest.fixture
def speak(kernel: KernelProcess) -> Iterator[Callable[..., Speaker]]:
    """Connects, and shakes no hands."""
    speakers: list[Speaker] = []

    def speak(info: dict[str, Any] | None = None, **options: Any) -> Speaker:
        speakers.append(Speaker(info or kernel.info, **options))
        return speakers[-1]

    yield speak
    for speaker in speakers:
        speaker.close()


@pytest.fixture
def honest(speak: Callable[..., Speaker]) -> Speaker:
    return speak().join()


def stranger(speak: Callable[..., Speaker], info: dict[str, Any], **options: Any) -> Speaker:
    return speak({**info, "key": "not the key"}, **options)


def marking(path: Path) -> dict[str, Any]:
    """A cell by which a test sees that it ran."""
    return {"code": f"open({str(path)!r}, 'w').close()"}


def count_of(client: Speaker, channel: str, reason: str) -> int:
    return client.rejected(channel).get(reason, 0)


def wait_for_count(client: Speaker, channel: str, reason: str, least: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while count_of(client, channel, reason) < least:
        assert time.monotonic() < deadline


def test_an_honest_client_runs_a_cell_and_answers_input(honest: Speaker) -> None:
    assert honest.text("print(6 * 7)") == "42\n"
    msg_id = honest.send(
        honest.shell, "execute_request", code="print(input('? '))", allow_stdin=True
    )
    question = honest.receive(honest.stdin)
    assert question["content"]["prompt"] == "? "
    honest.send(honest.stdin, "input_reply", value="an answer")
    assert honest.reply(honest.shell, msg_id)["content"]["status"] == "ok"
    outputs = honest.outputs(msg_id)
    assert [m["content"]["text"] for m in outputs if "text" in m["content"]] == ["an answer\n"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_who_did_not_shake_hands_is_refused(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker, channel: str
) -> None:
    before = count_of(honest, channel, "unknown session")
    visitor = stranger(speak, kernel.info)
    visitor.send(getattr(visitor, channel), "kernel_info_request")
    wait_for_count(honest, channel, "unknown session", before + 1)
    assert not getattr(visitor, channel).poll(0), "a stranger is told nothing"


def test_one_wrong_answer_is_refused(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker, tmp_path: Path
) -> None:
    visitor = stranger(speak, kernel.info)
    challenge = visitor.ask(visitor.shell, KNOCK)
    assert visitor.ask(visitor.shell, Responder(visitor.secret).answer(challenge)) == FAILURE
    right = Responder(honest.secret).answer(challenge)
    before = count_of(honest, "shell", "refused")
    visitor.say(visitor.shell, right)
    wait_for_count(honest, "shell", "refused", before + 1)
    unknown = count_of(honest, "shell", "unknown session")
    visitor.send(visitor.shell, "execute_request", **marking(tmp_path / "ran"))
    wait_for_count(honest, "shell", "unknown session", unknown + 1)
    assert not (tmp_path / "ran").exists()


def test_trust_on_control_is_none_on_shell(speak: Callable[..., Speaker], tmp_path: Path) -> None:
    client = speak()
    client.shake(client.control)
    before = count_of(client, "shell", "unknown session")
    client.send(client.shell, "execute_request", **marking(tmp_path / "ran"))
    wait_for_count(client, "shell", "unknown session", before + 1)
    assert not (tmp_path / "ran").exists()


def test_a_message_with_a_signature_is_refused(kernel: KernelProcess, honest: Speaker) -> None:
    before = count_of(honest, "shell", "bad signature")
    _, frames = honest.message("kernel_info_request", {})
    honest.shell.send_multipart([DELIMITER, b"0" * 64, *frames[2:]])
    wait_for_count(honest, "shell", "bad signature", before + 1)
    assert kernel.info["key"] not in kernel.terminal


def test_who_sniffs_the_identity_speaks_as_the_victim(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker, tmp_path: Path
) -> None:
    """The identity is sent in the clear; whoever connects with it has the victim's trust."""
    attacker = stranger(speak, kernel.info, session=honest.session)
    reply, _ = attacker.execute(**marking(tmp_path / "ran"))
    assert reply["status"] == "ok"
    assert (tmp_path / "ran").exists()


def taken_over(attacker: Speaker, channel: str, victim: Speaker) -> Socket:
    """A connection under the victim's identity, when the kernel has taken notice of it."""
    socket = attacker.context.socket(zmq.DEALER)
    socket.identity = victim.session.encode()
    socket.reconnect_ivl = -1
    with socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED) as monitor:
        socket.connect(f"tcp://127.0.0.1:{attacker.info[f'{channel}_port']}")
        assert monitor.poll(PATIENCE * 1000)
        socket.disable_monitor()
    with attacker.context.socket(zmq.REQ) as later:  # the kernel's connections share one thread
        later.connect(f"tcp://127.0.0.1:{attacker.info['hb_port']}")
        later.send(b"ping")
        assert later.poll(PATIENCE * 1000)
    attacker.others.append(socket)
    return socket


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A cell that reads it waits until the test has opened and closed it."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def test_who_copies_the_identity_takes_the_reply(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker, gate: Path
) -> None:
    attacker = stranger(speak, kernel.info)
    msg_id = honest.send(
        honest.shell,
        "execute_request",
        code=f"open({str(gate)!r}).read()",
        user_expressions={"secret": "6 * 7"},
    )
    with gate.open("w"):
        shell = taken_over(attacker, "shell", honest)
    content = attacker.reply(shell, msg_id)["content"]
    assert content["user_expressions"]["secret"]["data"]["text/plain"] == "42"
    honest.outputs(msg_id)
    assert not honest.shell.poll(0)


def test_who_copies_the_identity_answers_input_in_the_victim_s_name(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker, gate: Path
) -> None:
    attacker = stranger(speak, kernel.info)
    code = f"open({str(gate)!r}).read(); print(input('password? '))"
    msg_id = honest.send(honest.shell, "execute_request", code=code, allow_stdin=True)
    with gate.open("w"):
        stdin = taken_over(attacker, "stdin", honest)
    question = attacker.receive(stdin)
    assert question["content"]["prompt"] == "password? "
    _, frames = attacker.message("input_reply", {"value": "forged"}, session=honest.session)
    stdin.send_multipart(frames)
    outputs = honest.outputs(msg_id)
    assert [m["content"]["text"] for m in outputs if "text" in m["content"]] == ["forged\n"]


def test_a_victim_whose_identity_was_taken_is_not_told(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker, tmp_path: Path
) -> None:
    """Its connection stays open, and nothing that it sends is read."""
    attacker = stranger(speak, kernel.info)
    with honest.shell.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
        shell = taken_over(attacker, "shell", honest)
        honest.send(honest.shell, "execute_request", **marking(tmp_path / "ran"))
        for _ in range(10):
            attacker.request(shell, "kernel_info_request")
        assert not monitor.poll(0)
        honest.shell.disable_monitor()
    assert not honest.shell.poll(0)
    assert not (tmp_path / "ran").exists()


def relay_the_handshake(victim: Speaker, front: Socket, attacker: Speaker) -> bytes:
    """The victim shakes hands with the kernel through the attacker; its identity at his ROUTER."""
    end = ClientChallengeOnce(victim.master, entropy=os.urandom)
    end.renew(0)
    frame = b""
    while frame != WELCOME:
        frame = next(said.frame for said in end.due(0) if said.channel is Channel.SHELL)
        victim.say(victim.shell, frame)
        identity, *frames = front.recv_multipart()
        attacker.shell.send_multipart(frames)
        if frame != WELCOME:
            front.send_multipart([identity, *attacker.shell.recv_multipart()])
            end.greet(Channel.SHELL, victim.hear(victim.shell), ())
    return identity


def test_who_relays_an_honest_handshake_then_speaks(
    kernel: KernelProcess, speak: Callable[..., Speaker], tmp_path: Path
) -> None:
    """To the kernel he is the client, and to the client the kernel."""
    attacker = stranger(speak, kernel.info)
    with attacker.context.socket(zmq.ROUTER) as front:
        port = front.bind_to_random_port("tcp://127.0.0.1")
        victim = speak({**kernel.info, "shell_port": port})
        identity = relay_the_handshake(victim, front, attacker)
        reply, _ = attacker.execute(**marking(tmp_path / "ran"))
        assert reply["status"] == "ok"
        assert (tmp_path / "ran").exists()
        msg_id = victim.send(victim.shell, "execute_request", code="pay('Alice')")
        _, *request = front.recv_multipart()
        parent = attacker.decode(request)["header"]
        _, forged = attacker.message("execute_reply", {"status": "forged"}, parent)
        front.send_multipart([identity, *forged])
        assert victim.reply(victim.shell, msg_id)["content"] == {"status": "forged"}


def test_who_stands_in_the_middle_injects_after_the_handshake(
    kernel: KernelProcess, speak: Callable[..., Speaker], tmp_path: Path
) -> None:
    """Under the victim's own identity, on its own connection, and changes what it says."""
    attacker = stranger(speak, kernel.info)
    with attacker.context.socket(zmq.ROUTER) as front:
        port = front.bind_to_random_port("tcp://127.0.0.1")
        victim = speak({**kernel.info, "shell_port": port})
        relay_the_handshake(victim, front, attacker)
        msg_id = victim.send(victim.shell, "execute_request", code="1")
        _, *request = front.recv_multipart()
        request[-1] = json.dumps(marking(tmp_path / "ran")).encode()
        attacker.shell.send_multipart(request)
        assert attacker.reply(attacker.shell, msg_id)["content"]["status"] == "ok"
        assert (tmp_path / "ran").exists()


def published(listener: Socket) -> list[bytes]:
    assert listener.poll(PATIENCE * 1000)
    return listener.recv_multipart()


def test_who_stands_in_the_middle_reads_and_changes_iopub(
    kernel: KernelProcess, speak: Callable[..., Speaker], honest: Speaker
) -> None:
    attacker = stranger(speak, kernel.info)
    end = ClientChallengeOnce(honest.master, entropy=os.urandom)
    with (
        attacker.context.socket(zmq.XPUB) as front,
        attacker.context.socket(zmq.SUB) as victim,
    ):
        port = front.bind_to_random_port("tcp://127.0.0.1")
        victim.subscribe(b"")
        victim.connect(f"tcp://127.0.0.1:{port}")
        assert front.poll(PATIENCE * 1000), "no subscription"
        honest.text("print('Alice')")
        while b"Alice" not in (frames := published(attacker.iopub))[-1] or frames[0] != b"stream":
            pass
        front.send_multipart([*frames[:-1], frames[-1].replace(b"Alice", b"Mallory")])
        topic, _, signature, *rest = published(victim)
    end.open(Channel.IOPUB, signature, rest, (topic,))
    assert json.loads(rest[-1])["text"] == "Mallory\n"


def test_after_a_restart_identities_shake_hands_again(
    start_kernel: Callable[..., KernelProcess], speak: Callable[..., Speaker]
) -> None:
    kernel = start_kernel(**SCHEME)
    before = speak(kernel.info).join()
    assert before.text("print(1)") == "1\n"
    kernel.kill()
    kernel.start()
    after = speak(kernel.info, session=before.session, reconnect=5)
    after.shake(after.control)
    after.send(after.shell, "kernel_info_request")
    wait_for_count(after, "shell", "unknown session", 1)
    after.shake(after.shell)
    assert after.text("print(2)") == "2\n"


def test_without_guards(
    start_kernel: Callable[..., KernelProcess], speak: Callable[..., Speaker], tmp_path: Path
) -> None:
    """The scheme stays; what is checked beyond it goes, such as who may say what where."""
    kernel = start_kernel("--guards", "off", **SCHEME)
    client = speak(kernel.info)
    client.shake(client.shell)
    assert client.text("print(1)") == "1\n"
    client.shake(client.control)
    client.request(client.control, "comm_info_request")
    client.send(client.stdin, "execute_request", **marking(tmp_path / "ran"))
    wait_for_count(client, "stdin", "unknown session", 1)
    assert not (tmp_path / "ran").exists()


def test_a_connection_file_that_others_can_read(kernel: KernelProcess, tmp_path: Path) -> None:
    connection.write(tmp_path / "kernel.json", {**kernel.info, "shell_port": 0})
    (tmp_path / "kernel.json").chmod(0o640)
    process = subprocess.run(
        [sys.executable, "-m", "minikernel", "run", "-f", str(tmp_path / "kernel.json")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 2
    assert "chmod 600" in process.stderr
