"""A question for a client whose connection on stdin is not there yet: it gets there, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from minikernel.lab.attackers import msg_type
from minikernel.lab.columns import CHANNEL
from minikernel.lab.stage import Stage
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conftest import RawClient

    from minikernel.lab.network.passing import Passing


def test_the_bind_reply_behind_a_question_does_not_end_it(tmp_path: Path) -> None:
    held: list[Passing] = []

    def rule(passing: Passing) -> Iterable[Passing]:
        if passing.channel is Channel.STDIN and msg_type(passing) == "bind_request":
            held.append(passing)
            return ()
        return (passing,)

    with Stage(CHANNEL, tmp_path) as stage:
        stage.middle.rule = rule
        client = stage.behind_the_middle()
        start = len(stage.middle.tape)
        cell = client.start("print(input())", on_input=lambda *_: "answer")
        stage.heard(lambda p: msg_type(p) == "execute_input", start)
        stage.middle.inject(held[0])
        assert cell.result().stdout == "answer\n"
        assert len(held) == 1


def test_stdin_finds_the_kernel_later_than_shell(client: RawClient) -> None:
    late = client.connect(zmq.DEALER, "shell", identity=b"late")
    msg_id = client.send(late, "execute_request", code="print(input())")
    while client.receive(client.iopub)["header"]["msg_type"] != "execute_input":
        pass
    stdin = client.connect(zmq.DEALER, "stdin", identity=b"late")
    assert client.receive(stdin)["header"]["msg_type"] == "input_request"
    client.send(stdin, "input_reply", value="an answer")
    assert client.reply(late, msg_id)["content"]["status"] == "ok"
    assert not stdin.poll(0)
    late.close()
    stdin.close()
