from __future__ import annotations

from typing import Any

import pytest

from minikernel.interpreter.paging import question_in


@pytest.mark.parametrize(
    ("code", "question"),
    [
        ("a?", ("a", 0)),
        ("a.b??", ("a.b", 1)),
        ("?a", ("a", 0)),
        (" ?? a.b ", ("a.b", 1)),
        ("a?;", ("a", 0)),
        ("été?\n", ("été", 0)),
    ],
)
def test_questions(code: Any, question: Any) -> None:
    assert question_in(code) == question


@pytest.mark.parametrize("code", ["?", "a", "a???", "1?", "a + b?", "x = 1\na?", "'a?'", "a?b", ""])
def test_other_text_is_no_question(code: Any) -> None:
    assert question_in(code) is None
