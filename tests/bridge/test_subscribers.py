"""Who subscribes late, or to a topic, is greeted, as often as it subscribes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.protected import Protected
    from tests.conftest import RawClient


def test_each_subscriber_is_greeted(
    protected: Protected, connect: Callable[..., RawClient]
) -> None:
    first, second = connect(protected), connect(protected)  # each waits for its iopub_welcome
    late = first.connect(zmq.SUB, "iopub", subscribe=b"stream")
    welcome = first.receive(late)
    assert welcome["header"]["msg_type"] == "iopub_welcome"
    assert welcome["content"] == {"subscription": "stream"}
    assert welcome["topic"] == [b"stream"]
    msg_id = second.send(second.shell, "execute_request", code="print('late')")
    assert first.receive(late)["content"]["text"] == "late\n"
    for client in (first, second):
        texts = [m["content"].get("text") for m in client.outputs(msg_id)]
        assert "late\n" in texts
    late.close()


def test_a_flood_of_subscriptions_holds_nobody_up(
    protected: Protected, connect: Callable[..., RawClient]
) -> None:
    client = connect(protected)
    flooding = client.connect(zmq.SUB, "iopub")
    for number in range(5000):
        flooding.subscribe(b"topic %d" % number)
    assert client.execute("1")[0]["status"] == "ok"
    assert connect(protected).execute("1")[0]["status"] == "ok"
    flooding.close()
