"""What a console asks a kernel: nothing that it may not, and no answer is one."""

from __future__ import annotations

import queue
from types import SimpleNamespace
from typing import Any

import pytest

from minikernel.cli.questions import Questions
from minikernel.errors import RequestLost


class Kernel:
    """What a client says of a kernel that answers, or does not."""

    def __init__(self, *, allowed: bool = True, problem: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.problem = problem
        scheme = SimpleNamespace(permits=lambda _: allowed)
        self.verifier = SimpleNamespace(scheme=scheme)
        self.hb_channel = None

    def answer(self, request: str, content: Any) -> Any:
        self.asked.append(request)
        if self.problem is not None:
            raise self.problem
        return content

    def request_control(self, msg_type: str, timeout: float) -> Any:
        assert timeout > 0
        return self.answer(msg_type, {"implementation": "minikernel"})

    def complete(self, code: str, *, reply: bool, timeout: float) -> Any:
        assert reply
        assert timeout > 0
        return self.answer("complete", {"content": {"matches": [code]}})

    def auth_status(self, _timeout: float) -> Any:
        return self.answer("auth_status", SimpleNamespace(rejected=3))


def test_answers() -> None:
    kernel = Kernel()
    questions = Questions(kernel)  # type: ignore[arg-type]
    assert questions.info["implementation"] == "minikernel"
    assert questions.ask("complete", "pr") == {"matches": ["pr"]}
    assert questions.end_kernel()
    assert questions.news() == []


def test_the_kernel_s_ledger_is_looked_at_seldom() -> None:
    kernel = Kernel()
    questions = Questions(kernel)  # type: ignore[arg-type]
    assert questions.rejected is None
    questions.count_rejected()
    questions.count_rejected()
    assert questions.rejected == 3
    assert kernel.asked.count("auth_status") == 1


def test_what_is_not_allowed_is_not_asked() -> None:
    kernel = Kernel(allowed=False)
    questions = Questions(kernel)  # type: ignore[arg-type]
    assert not questions.may("complete_request")
    assert questions.ask("complete", "pr") == {}
    assert "complete" not in kernel.asked


@pytest.mark.parametrize(
    "problem", [TimeoutError(), queue.Empty(), RequestLost("complete_request", "lost")]
)
def test_no_answer_is_none(problem: Exception) -> None:
    questions = Questions(Kernel(problem=problem))  # type: ignore[arg-type]
    assert questions.info == {}
    assert questions.ask("complete", "pr") == {}
    assert not questions.end_kernel()
    questions.count_rejected()
    assert questions.rejected is None
