"""What a rogue says must neither reach a caller nor end, shorten or prolong a wait."""

from __future__ import annotations

import socket
import threading
import time
from queue import Empty
from typing import TYPE_CHECKING, Any, cast

import pytest
import zmq

from minikernel.client.channels import HeartbeatChannel
from minikernel.errors import FramingError
from minikernel.transport.sockets import MAX_FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Rogue

    import minikernel

    Play = Callable[..., tuple[Rogue, minikernel.MiniKernelClient]]

FORGED = {"key": "another key"}


def in_background(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_forged_message_does_not_end_a_wait(play: Play) -> None:
    rogue, client = play()

    def publish() -> None:
        for _ in range(20):
            rogue.publish("stream", {"text": "forged"}, **FORGED)
        rogue.publish("stream", {"text": "genuine"})

    thread = in_background(publish)
    assert client.get_iopub_msg(timeout=20)["content"]["text"] == "genuine"
    thread.join()
    assert client.ledger["iopub"].rejected == {"bad signature": 20}


def test_a_forged_message_does_not_prolong_a_wait(play: Play) -> None:
    rogue, client = play()
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            rogue.publish("stream", {"text": "forged"}, **FORGED)

    thread = in_background(flood)
    with pytest.raises(Empty):
        client.get_iopub_msg(timeout=0.2)
    ended.set()
    thread.join()
    assert client.ledger["iopub"].rejected["bad signature"] > 0


def test_forged_messages_are_not_ready(play: Play) -> None:
    rogue, client = play()
    rogue.publish("stream", {"text": "forged"}, **FORGED)
    while not client.iopub_channel.socket.poll(100):
        pass
    assert not client.iopub_channel.msg_ready()
    assert client.iopub_channel.get_msgs() == []
    with pytest.raises(Empty):
        client.get_iopub_msg(timeout=0)


def test_a_message_that_was_looked_at_is_still_there(play: Play) -> None:
    rogue, client = play()
    rogue.publish("stream", {"text": "genuine"})
    deadline = time.monotonic() + 20
    while not client.iopub_channel.msg_ready():
        assert time.monotonic() < deadline
    assert client.iopub_channel.msg_ready()
    assert [m["content"]["text"] for m in client.iopub_channel.get_msgs()] == ["genuine"]
    assert not client.iopub_channel.msg_ready()


def test_forged_and_unsolicited_replies_do_not_reach_the_caller(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        rogue.reply(request, content={"status": "forged"}, **FORGED)
        other = {**request, "header": {**request["header"], "msg_id": "never sent"}}
        rogue.reply(other, content={"status": "unsolicited"})
        foreign = {**request, "header": {**request["header"], "session": "not ours"}}
        rogue.reply(foreign, content={"status": "foreign"})
        rogue.shell.send_multipart([*request["identities"], *request["frames"]])
        rogue.shell.send_multipart([*request["identities"], b"nonsense"])
        genuine = rogue.reply(request)
        rogue.shell.send_multipart([*request["identities"], *genuine])
        rogue.reply(request, content={"status": "second"})

    _, client = play(script)
    reply = client.is_complete("1", reply=True, timeout=20)
    assert reply["content"]["status"] == "ok"
    with pytest.raises(Empty):
        client.get_shell_msg(timeout=0.2)
    assert client.ledger["shell"].rejected == {
        "bad signature": 1,
        "not asked": 3,
        "reflected": 1,
        "framing": 1,
        "replayed": 1,
    }


def test_heartbeats_are_counted(play: Play) -> None:
    _, client = play()
    deadline = time.monotonic() + 20
    while client.ledger["heartbeat"].beats == 0:
        assert time.monotonic() < deadline
        client.iopub_channel.socket.poll(50)
    assert client.hb_channel.is_beating()


@pytest.mark.parametrize("echo", [lambda _: None, lambda _: b"ping 0"], ids=["none", "another"])
def test_a_heart_that_does_not_echo_is_noticed(
    play: Play, echo: Callable[[bytes], bytes | None]
) -> None:
    rogue, client = play()
    missed: list[float] = []
    client.hb_channel.call_handlers = missed.append
    client.hb_channel.time_to_dead = 0.1
    rogue.echo = echo
    deadline = time.monotonic() + 20
    while not missed:
        assert time.monotonic() < deadline
        client.iopub_channel.socket.poll(50)
    before = client.ledger["heartbeat"].beats
    rogue.echo = lambda payload: payload
    while client.ledger["heartbeat"].beats == before:
        assert time.monotonic() < deadline
        client.iopub_channel.socket.poll(50)


def test_a_pong_of_too_many_frames_is_rejected_and_ends_nothing() -> None:
    class Pings:
        def ping(self) -> bytes:
            return b"ping"

        def take_pong(self, frame: bytes) -> None:
            if frame != b"pong":
                raise FramingError("no pong")

    with zmq.Context() as context, context.socket(zmq.ROUTER) as heart:
        port = heart.bind_to_random_port("tcp://127.0.0.1")
        beat = HeartbeatChannel(context, None, f"tcp://127.0.0.1:{port}")
        beat.scheme = cast("Any", Pings())
        beat.interval = 0.05
        beat.start()
        peer, *_ = heart.recv_multipart()
        heart.send_multipart([peer, b"", *[b"pong"] * MAX_FRAMES])
        heart.send_multipart([peer, b"", b"pong"])
        deadline = time.monotonic() + 20
        while not beat.beats:
            assert time.monotonic() < deadline
            heart.poll(50)
        assert beat.rejected == 1
        beat.stop()


def test_a_paused_heart_does_not_beat(play: Play) -> None:
    _, client = play()
    client.hb_channel.time_to_dead = 0.05
    client.hb_channel.pause()
    assert not client.hb_channel.is_beating()
    client.hb_channel.unpause()
    deadline = time.monotonic() + 20
    while not client.ledger["heartbeat"].beats:
        assert time.monotonic() < deadline
        client.iopub_channel.socket.poll(50)


def test_what_was_sent_before_the_close_goes_out(play: Play) -> None:
    """Though nobody listens yet."""
    _, client = play()
    client.shell_channel.close()
    client._shell_channel = None
    with socket.create_server(("127.0.0.1", 0)) as free:
        client.shell_port = free.getsockname()[1]
    client.execute("1")
    client.shell_channel.close()
    with zmq.Context() as context, context.socket(zmq.ROUTER) as late:
        late.bind(f"tcp://127.0.0.1:{client.shell_port}")
        assert late.poll(20_000)
