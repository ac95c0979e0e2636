"""The channels of a client: each is opened once, when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minikernel.errors import ClientClosed
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Rogue

    Play = Callable[..., Any]


def test_a_channel_is_opened_once(play: Play) -> None:
    _, client = play()
    channels = client._channels
    assert channels.opened(Channel.SHELL) is client.shell_channel
    assert channels.some(Channel.SHELL, Channel.IOPUB) == {
        Channel.SHELL: client.shell_channel,
        Channel.IOPUB: client.iopub_channel,
    }
    assert set(channels.alive()) == {Channel.SHELL, Channel.IOPUB, Channel.STDIN, Channel.CONTROL}


def test_none_of_a_closed_client(play: Play) -> None:
    _, client = play()
    client.close()
    assert client._channels.alive() == {}
    with pytest.raises(ClientClosed):
        client._channels.opened(Channel.SHELL)


def test_replies_come_last_of_those_that_a_cell_needs(play: Play) -> None:
    _, client = play()
    of_cell = client._channels.for_cell
    assert list(of_cell(allow_stdin=True)) == [Channel.IOPUB, Channel.STDIN, Channel.SHELL]
    assert list(of_cell(allow_stdin=False)) == [Channel.IOPUB, Channel.SHELL]
    client.stdin_channel.stop()
    with pytest.raises(RuntimeError, match="stdin"):
        of_cell(allow_stdin=True)
    client.iopub_channel.stop()
    with pytest.raises(RuntimeError, match="IOPub"):
        of_cell(allow_stdin=False)


def test_without_a_handshake_control_is_apart_and_nothing_comes_first(play: Play) -> None:
    _, client = play()
    channels = client._channels
    assert [c for c in Channel if channels.is_apart(c)] == [Channel.CONTROL]
    assert channels.admission(Channel.SHELL, 1.0) is None
    assert channels.tend() is None
    assert channels.room(None) is None
    assert not channels.is_gone()


def test_nobody_answers_what_is_not_asked_any_more(play: Play) -> None:
    answers: list[str] = []

    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        rogue.publish("status", {"execution_state": "busy"}, request)
        rogue.ask("first? ", request)
        rogue.ask("second? ", request)
        answers.append(rogue.receive(rogue.stdin)["content"]["value"])
        rogue.reply(request)
        rogue.idle(request)

    def answer(prompt: str, _password: bool) -> str:
        if prompt == "first? ":
            assert client.stdin_channel.socket.poll(20_000)
        return prompt

    _, client = play(script)
    assert client.run("1", timeout=20, on_input=answer).status == "ok"
    assert answers == ["second? "]
