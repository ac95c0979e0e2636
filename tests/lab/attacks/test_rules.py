"""What a man in the middle does to one kind of message."""

from __future__ import annotations

import json

from minikernel.lab.attacks.rules import Hold, HoldChannel, on
from minikernel.lab.network.passing import Passing
from minikernel.wire.channels import Channel, Role


def message(kind: str, channel: Channel = Channel.SHELL, to: Role = Role.KERNEL) -> Passing:
    header = json.dumps({"msg_type": kind, "session": "s"}).encode()
    return Passing(channel, to, b"ada", [b"<IDS|MSG>", b"tag", header, b"{}", b"{}", b"{}"])


ONE, OTHER = message("execute_request"), message("kernel_info_request")
GREETING = ONE._replace(frames=[b"<IDS|MSG>", b"HELLO"])


def test_one_kind_of_message_is_changed() -> None:
    rule = on("execute_request", lambda passing: [passing, passing])
    assert list(rule(ONE)) == list(rule(ONE)) == [ONE, ONE]
    assert list(rule(OTHER)) == [OTHER]
    assert list(rule(GREETING)) == [GREETING]


def test_so_many_times() -> None:
    rule = on("execute_request", lambda _: [], times=2)
    assert [len(list(rule(ONE))) for _ in range(4)] == [0, 0, 1, 1]


def test_what_is_held_back_is_kept() -> None:
    hold = Hold("execute_request", times=1)
    assert list(hold(OTHER)) == [OTHER]
    assert list(hold(ONE)) == []
    assert list(hold(ONE)) == [ONE]
    assert hold.held == [ONE]


def test_a_channel_is_held_back_on_its_way_to_the_kernel() -> None:
    hold = HoldChannel(Channel.SHELL)
    reply, elsewhere = message("execute_reply", to=Role.CLIENT), message("x", Channel.CONTROL)
    assert list(hold(ONE)) == list(hold(GREETING)) == []
    assert list(hold(reply)) == [reply]
    assert list(hold(elsewhere)) == [elsewhere]
    assert hold.held == [ONE, GREETING]
