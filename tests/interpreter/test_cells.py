from __future__ import annotations

import linecache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.interpreter.cells import compile_cell, forget_source, remember_source


@pytest.mark.parametrize(
    ("code", "has_body", "has_last"),
    [
        ("", False, False),
        ("# only", False, False),
        ("x = 1", True, False),
        ("1", False, True),
        ("x = 1\nx", True, True),
        ("x;", True, False),
        ("x\r\n;", None, None),
        ("x = 1;\r\nx", True, True),
    ],
)
def test_the_last_expression_is_compiled_apart(code: Any, has_body: Any, has_last: Any) -> None:
    if has_body is None:
        with pytest.raises(SyntaxError):
            compile_cell(code, "<cell>", 0)
        return
    cell = compile_cell(code, "<cell>", 0)
    assert (cell.body is not None, cell.last is not None) == (has_body, has_last)


@pytest.mark.parametrize(
    ("code", "awaits"),
    [
        ("x", False),
        ("await x", True),
        ("await x\n1", True),
        ("async def f(): await x", False),
        ("[i async for i in x]", True),
        ("async with x: pass", True),
    ],
)
def test_a_cell_knows_that_it_awaits(code: Any, awaits: Any) -> None:
    assert compile_cell(code, "<cell>", 0).awaits is awaits


@pytest.mark.parametrize(
    ("code", "leaves"),
    [
        ("x = 1\nx", False),
        ("def f(): pass", True),
        ("f = lambda: 1", True),
        ("(i for i in x)", True),
    ],
)
def test_a_cell_knows_whether_its_code_may_outlive_it(code: Any, leaves: Any) -> None:
    assert compile_cell(code, "<cell>", 0).leaves_code() is leaves


def test_a_remembered_source_survives_checkcache() -> None:
    remember_source("<cell test>", "a\nb")
    linecache.checkcache()
    assert linecache.getlines("<cell test>") == ["a\n", "b\n"]
    forget_source("<cell test>")
    assert linecache.getlines("<cell test>") == []
    forget_source("<cell test>")


@given(st.text(alphabet="ab1;=+()'\"\n\r \t#é𝒳,", max_size=25))
def test_splitting_a_cell_never_fails_where_python_does_not(code: Any) -> None:
    try:
        compile(code, "<cell>", "exec")
    except (SyntaxError, ValueError):
        return
    compile_cell(code, "<cell>", 0)
