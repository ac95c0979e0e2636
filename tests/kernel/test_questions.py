"""Which answer is for which question, and who may be asked."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from minikernel.kernel.questions import Question, Questions
from minikernel.kernel.request import Asker, Requests
from minikernel.wire.content import InputReply
from minikernel.wire.message import Message, loads_header
from minikernel.wire.peer import Address

NOBODY = Address(())


def question(msg_id: str, session: str = "s") -> Question:
    header = {"msg_id": msg_id, "msg_type": "input_request", "session": "kernel"}
    return Question(Asker(session, NOBODY, b"{}"), [json.dumps(header).encode()])


def answer(named: str | None, session: str = "s", content: Any = None) -> Message:
    frame = json.dumps({"msg_id": "a", "msg_type": "input_reply", "session": session}).encode()
    header, _ = loads_header(frame)
    parent = {} if named is None else {"msg_id": named}
    content = InputReply("1") if content is None else content
    return Message(NOBODY, header, frame, parent, {}, content, [])


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        (answer("q"), True),
        (answer(None), True),
        (answer("other"), False),
        (answer("q", session="other"), False),
        (answer("q", content={"value": "1"}), False),
    ],
)
def test_which_answer_is_for_it(message: Message, fits: bool) -> None:
    assert question("q").is_answered_by(message) is fits


def test_one_that_is_answered_takes_no_other_answer() -> None:
    asked = question("q")
    asked.answer(None)
    assert not asked.is_answered_by(answer("q"))


def test_without_a_request_that_allows_it_nobody_is_asked() -> None:
    requests, port = Requests(), SimpleNamespace(connection=None)
    questions = Questions(port, requests, lambda: None)  # type: ignore[arg-type] # no question is sent
    with pytest.raises(NotImplementedError):
        questions.input("", password=False)
    requests.begin(b"{}", Asker("s", NOBODY, b"{}"))
    questions.close()  # the kernel ends
    with pytest.raises(NotImplementedError):
        questions.input("", password=False)
