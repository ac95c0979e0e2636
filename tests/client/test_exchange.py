from __future__ import annotations

from typing import Any

import pytest

from minikernel.client.exchange import GRACE, Admission, Exchange
from minikernel.errors import LocalProtocolError, PermissionDenied
from minikernel.wire.channels import Channel


def message(
    msg_type: str, parent: str = "mine", session: str = "me", **content: Any
) -> dict[str, Any]:
    header = {"msg_id": parent, "session": session}
    return {"msg_type": msg_type, "parent_header": header, "content": content}


REPLY = message("execute_reply", status="ok")
IDLE = message("status", execution_state="idle")
STREAM = message("stream", text="x")


@pytest.mark.parametrize("reply_first", [True, False])
def test_it_is_over_when_reply_and_idle_have_come(reply_first: bool) -> None:
    steps = [(Channel.SHELL, REPLY), (Channel.IOPUB, IDLE)]
    exchange = Exchange("mine", session="me")
    for step in steps if reply_first else reversed(steps):
        assert not exchange.over
        assert exchange.take(*step, now=0.0)
    assert exchange.over
    assert exchange.idle
    assert exchange.answer is REPLY


BUSY = message("status", execution_state="busy")


@pytest.mark.parametrize(
    ("published", "complete"),
    [
        ([BUSY, IDLE], True),
        ([BUSY, STREAM, IDLE], True),
        ([IDLE], False),
        ([BUSY], False),
        ([BUSY, BUSY, IDLE], False),
        ([IDLE, BUSY], True),  # iopub is in order: what is out of it was counted as a gap
        ([], False),
    ],
)
def test_complete_is_one_busy_and_one_idle(published: list[Any], complete: bool) -> None:
    exchange = Exchange("mine", session="me")
    for msg in published:
        exchange.take(Channel.IOPUB, msg, 0.0)
    exchange.take(Channel.SHELL, REPLY, 0.0)
    assert exchange.complete is complete


def test_an_idle_more_is_not_complete() -> None:
    """Somebody made an end of the request look like one before it was over."""
    exchange = Exchange("mine", session="me")
    for msg in (BUSY, IDLE, STREAM, IDLE):
        exchange.take(Channel.IOPUB, msg, 0.0)
    assert not exchange.over
    exchange.take(Channel.SHELL, REPLY, 0.0)
    assert exchange.over
    assert not exchange.complete


def test_messages_of_others_are_not_taken() -> None:
    exchange = Exchange("mine", session="me")
    assert not exchange.take(Channel.SHELL, message("execute_reply", "other"), 0.0)
    assert not exchange.take(Channel.IOPUB, message("status", "other", execution_state="idle"), 0.0)
    assert not exchange.take(Channel.IOPUB, {**IDLE, "parent_header": {}}, 0.0)
    assert not exchange.take(Channel.SHELL, message("execute_reply", session="other"), 0.0)
    assert not exchange.idle
    with pytest.raises(LocalProtocolError):
        _ = exchange.answer


DENIAL = message("execute_reply", status="error", ename="PermissionError", evalue="not \x1b yours")
RAISED = message("execute_reply", status="error", ename="PermissionError", execution_count=1)


def test_a_denial_is_all_that_comes() -> None:
    exchange = Exchange("mine", session="me")
    exchange.take(Channel.SHELL, DENIAL, 0.0)
    assert exchange.over
    assert exchange.complete
    with pytest.raises(PermissionDenied, match=r"^not \\x1b yours$"):
        _ = exchange.granted


def test_a_cell_that_raises_permission_error_is_no_denial() -> None:
    exchange = Exchange("mine", session="me")
    exchange.take(Channel.SHELL, RAISED, 0.0)
    assert not exchange.over
    assert exchange.granted is RAISED["content"]


def test_a_lost_idle_ends_after_a_grace_without_output() -> None:
    exchange = Exchange("mine", session="me")
    exchange.take(Channel.SHELL, REPLY, 10.0)
    exchange.take(Channel.IOPUB, STREAM, 10.5)
    assert exchange.wait(10.5) == GRACE
    exchange.lapse(10.4 + GRACE, quiet=True)
    assert not exchange.over
    exchange.lapse(10.6 + GRACE, quiet=False)
    assert not exchange.over, "something came: there may be more"
    exchange.lapse(10.6 + GRACE, quiet=True)
    assert exchange.over
    assert not exchange.idle


def test_the_deadline_stands_whatever_comes() -> None:
    exchange = Exchange("mine", session="me", deadline=5.0)
    assert exchange.wait(2.0) == 3.0
    exchange.take(Channel.IOPUB, STREAM, 4.9)
    exchange.lapse(4.9, quiet=False)
    with pytest.raises(TimeoutError):
        exchange.lapse(5.0, quiet=False)


def test_without_grace_the_reply_ends_it() -> None:
    exchange = Exchange("mine", session="me", replies=Channel.CONTROL, grace=None)
    assert exchange.wait(0.0) is None
    exchange.take(Channel.CONTROL, REPLY, 0.0)
    assert exchange.over


def test_a_handshake_is_over_when_requests_may_be_sent() -> None:
    ready = False
    admission = Admission(lambda: ready, deadline=5.0)
    assert admission.wait(2.0) == 3.0
    assert not admission.take(Channel.SHELL, REPLY, 0.0)
    with pytest.raises(TimeoutError):
        admission.lapse(5.0, quiet=False)
    ready = True
    admission.lapse(5.0, quiet=True)
    assert admission.over
