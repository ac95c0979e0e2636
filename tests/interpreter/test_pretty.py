from __future__ import annotations

import ast
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

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


class Pretty:
    def _repr_pretty_(self, p: Any, cycle: bool) -> None:
        p.text("PRETTY" if not cycle else "CYCLE")


class Loud(Pretty):
    def __repr__(self) -> str:
        return "repr"


class Quiet(Pretty):
    pass


class Pair(NamedTuple):
    a: int
    b: int


class Tree:
    def __init__(self, name: str, *children: Any) -> None:
        self.name, self.children = name, list(children)

    def _repr_pretty_(self, p: Any, cycle: bool) -> None:
        if cycle:
            p.text("Tree(...)")
            return
        with p.group(5, "Tree(", ")"):
            p.text(self.name)
            for child in self.children:
                p.text(",")
                p.breakable()
                p.pretty(child)


@dataclass
class Point:
    x: Any
    y: Any = None
    hidden: int = field(default=3, repr=False)
    kind: ClassVar[str] = "point"


@dataclass
class Own:
    x: int

    def __repr__(self) -> str:
        return f"<{self.x}>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Pretty(), "PRETTY"),
        (Quiet(), "PRETTY"),
        (Loud(), "repr"),
        (Pretty, f"{__name__}.Pretty"),
        ([Pretty(), {1: Pretty()}], "[PRETTY, {1: PRETTY}]"),
        ({Pretty(): (Pretty(),)}, "{PRETTY: (PRETTY,)}"),
        (Point(Pretty(), [Pretty()]), "Point(x=PRETTY, y=[PRETTY])"),
        ([Own(1), Point(Own(2))], "[<1>, Point(x=<2>, y=None)]"),
        (type("L", (list,), {})([Pretty()]), "[PRETTY]"),
        (type("S", (set,), {})({1}), "S({1})"),
        (Pair(1, 2), "Pair(a=1, b=2)"),
        (Tree("a", Tree("b"), 1), "Tree(a, Tree(b), 1)"),
    ],
)
def test_objects_that_print_themselves_also_in_others(value: Any, text: Any) -> None:
    assert pretty(value) == text


def test_a_long_group_ends_its_line_at_every_break() -> None:
    long = Tree("a" * 30, Tree("b" * 30, "c"), Tree("d" * 30, 1))
    assert pretty(long).split("\n") == [
        f"Tree({'a' * 30},",
        f"     Tree({'b' * 30}, 'c'),",
        f"     Tree({'d' * 30}, 1))",
    ]
    assert pretty({"key": long}).split("\n")[1] == f"             Tree({'b' * 30}, 'c'),"


def test_what_has_to_stay_on_the_line_counts() -> None:
    value = [["a" * 35, "b" * (WIDTH - 46)], 1]
    assert max(map(len, pretty(value).split("\n"))) == WIDTH - 1
    value = [["a" * 35, "b" * (WIDTH - 44)], 1]
    assert pretty(value).split("\n")[0] == f"[['{'a' * 35}',"


def test_an_object_that_prints_itself_sees_cycles() -> None:
    tree = Tree("a")
    tree.children.append(tree)
    assert pretty(tree) == "Tree(a, Tree(...))"
    point = Point(1)
    point.x = [point]
    assert pretty(point) == repr(point) == "Point(x=[...], y=None)"


def test_a_long_dataclass_takes_a_line_for_each_field() -> None:
    assert pretty(Point(LONG, "b")).split("\n") == [
        f"Point(x=['{'a' * 30}',",
        f"         '{'b' * 30}',",
        f"         '{'c' * 30}'],",
        "      y='b')",
    ]


def test_the_printer_of_ipython() -> None:
    class Everything:
        def _repr_pretty_(self, p: Any, _cycle: bool) -> None:
            p.begin_group(2, "<")
            p.text("a")
            p.break_()
            with p.indent(3):
                p.text("b")
                p.breakable("; ")
                p.text("c")
            p.flush()
            p.end_group(2, ">")
            assert (p.verbose, p.newline, p.max_width, p.indentation) == (False, "\n", WIDTH, 0)

    assert pretty(Everything()) == "<a\n  b\n     c>"


def test_objects_for_ipythons_printer() -> None:
    lib = pytest.importorskip("IPython.lib.pretty")
    call = lib.CallExpression("f", "a" * 50, [1, 2], key="b" * 50)
    assert pretty(call) == lib.pretty(call)
    assert pretty([lib.RawText("raw")]) == "[raw]"


def test_a_text_that_is_none_is_a_mistake() -> None:
    class Wrong:
        def _repr_pretty_(self, p: Any, _cycle: bool) -> None:
            p.text(5)

    with pytest.raises(TypeError):
        pretty(Wrong())


class Meta(type):
    def __repr__(cls) -> str:
        return "of Meta"


class Made(metaclass=Meta):
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (int, "int"),
        (ValueError, "ValueError"),
        ([int, str], "[int, str]"),
        (Made, "of Meta"),
        (pytest.MonkeyPatch, "_pytest.monkeypatch.MonkeyPatch"),
        (dict[str, int], "dict[str, int]"),
    ],
)
def test_classes_are_shown_by_their_names_as_in_ipython(value: object, text: str) -> None:
    assert pretty(value) == text
