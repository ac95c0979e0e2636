from __future__ import annotations

import ast
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.interpreter.pretty import LONGEST, WIDTH, pretty

LONG = ["a" * 30, "b" * 30, "c" * 30]


@pytest.mark.parametrize(
    "value", [1, "text", None, [], (), {}, set(), frozenset(), (1,), [1, [2]], {"a": {1}}, b""]
)
def test_what_fits_is_its_repr(value: Any) -> None:
    assert pretty(value) == repr(value)


def test_a_long_list_takes_a_line_for_each_item() -> None:
    assert pretty(LONG) == "[" + ",\n ".join(map(repr, LONG)) + "]"


def test_a_long_dict_nests() -> None:
    text = pretty({"key": LONG, "b": 1})
    assert text.split("\n") == [
        "{'key': ['" + "a" * 30 + "',",
        "         '" + "b" * 30 + "',",
        "         '" + "c" * 30 + "'],",
        " 'b': 1}",
    ]


def test_sets_are_sorted_where_they_can_be() -> None:
    assert pretty({3, 1, 2}) == "{1, 2, 3}"
    assert pretty(frozenset({2, 1})) == "frozenset({1, 2})"
    assert sorted(pretty({1, "a"})) == sorted("{1, 'a'}")


def test_a_list_inside_itself_ends() -> None:
    value: list[object] = [1]
    value.append(value)
    assert pretty(value) == "[1, [...]]"


def test_a_million_items_are_cut() -> None:
    text = pretty(list(range(1_000_000)))
    assert text.count("\n") == LONGEST
    assert text.endswith("999,\n ...]")
    assert pretty({"a": list(range(2000))}).endswith("...]}")


def test_deep_nesting_is_no_recursion_error() -> None:
    value: list[object] = []
    for _ in range(200):
        value = [value]
    assert pretty(value).count("[") == 201


def test_subclasses_speak_for_themselves() -> None:
    value = OrderedDict(a=LONG)
    assert pretty(value) == repr(value)


def test_reprs_of_several_lines_are_not_joined() -> Any:
    class Table:
        def __repr__(self) -> Any:
            return "a\nb"

    assert pretty([Table(), 1]) == "[a\nb,\n 1]"


plain = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
nested = st.recursive(
    plain, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner)
)


@given(nested)
def test_the_text_evaluates_to_the_value(value: Any) -> None:
    assert ast.literal_eval(pretty(value)) == value


@given(st.lists(st.integers(0, 99)))
def test_short_items_keep_to_the_width(value: Any) -> None:
    assert max(map(len, pretty(value).split("\n"))) <= WIDTH
