"""What is looked up runs no code of the user's."""

from __future__ import annotations

import collections
import enum
import functools
import os
from typing import Any, NamedTuple

import pytest

from minikernel.interpreter.evaluation import evaluate, known


def forbidden(*_: Any) -> Any:
    pytest.fail("the user's code ran")


class Pair(NamedTuple):
    left: int


class Colour(enum.Enum):
    RED = 1


class Thing:
    """Its attributes are known, what they compute is not."""

    at_class = "class"
    computed = property(forbidden)
    cached = functools.cached_property(forbidden)
    static = staticmethod(forbidden)

    def __init__(self) -> None:
        self.own = {"key": {"inner": [10, 20]}}

    def method(self) -> None:
        forbidden()


class Slots:
    __slots__ = ("slot",)

    def __init__(self) -> None:
        self.slot = "slot"


class Dynamic:
    stored = 1
    __getattr__ = __getitem__ = __call__ = forbidden


class Watched(Thing):
    def __getattribute__(self, name: str) -> Any:
        if name != "__class__":
            forbidden()
        return object.__getattribute__(self, name)


class OwnDict(dict[Any, Any]):
    __getitem__ = keys = __missing__ = forbidden


class OwnMissing(dict[Any, Any]):
    __missing__ = forbidden


thing = Thing()
NAMESPACE: dict[str, Any] = {
    "thing": thing,
    "Thing": Thing,
    "dynamic": Dynamic(),
    "watched": Watched(),
    "own": OwnDict(a=1),
    "missing": OwnMissing(a=1),
    "default": collections.defaultdict(list, a=1),
    "slots": Slots(),
    "pair": Pair(1),
    "Colour": Colour,
    "os": os,
    "len": "mine",
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("thing", thing),
        ("len", "mine"),
        ("print", print),
        ("thing.own", thing.own),
        ("thing.own['key']['inner'][-1]", 20),
        ("(thing).own['key']", {"inner": [10, 20]}),
        ("thing.at_class", "class"),
        ("thing.method", thing.method),
        ("thing.static", forbidden),
        ("thing.computed", Thing.computed),
        ("Thing.computed", Thing.computed),
        ("slots.slot", "slot"),
        ("pair.left", 1),
        ("pair[0]", 1),
        ("Colour.RED", Colour.RED),
        ("os.path.join", os.path.join),
        ("os.environ", os.environ),
        ("missing['a']", 1),
        ("default['a']", 1),
        ("'abc'", "abc"),
        ("thing\n.own", thing.own),
    ],
)
def test_what_is_known(expression: str, value: Any) -> None:
    assert evaluate(expression, NAMESPACE) == value


@pytest.mark.parametrize(
    "expression",
    [
        "nowhere",
        "thing.nowhere",
        "thing.method()",
        "thing.computed.real",
        "thing.cached.real",
        "thing.own['nowhere']",
        "thing.own[nowhere]",
        "thing.own['key']['inner'][5]",
        "dynamic.anything",
        "dynamic['key']",
        "own['a']",
        "own['nowhere']",
        "missing['nowhere']",
        "default['nowhere']",
        "thing + thing",
        "[thing][0]",
        "(",
        "",
        "1 1",
        "-" * 100_000 + "1",
    ],
)
def test_what_is_not_known(expression: str) -> None:
    with pytest.raises(LookupError):
        evaluate(expression, NAMESPACE)
    assert list(NAMESPACE["default"]) == ["a"]


def test_a_property_is_itself_but_nothing_is_known_of_it() -> None:
    assert evaluate("thing.computed", NAMESPACE) is Thing.computed
    with pytest.raises(LookupError):
        known("thing.computed", NAMESPACE)


def test_what_would_run_code_is_taken_as_it_is_stored() -> None:
    assert evaluate("watched.at_class", NAMESPACE) == "class"
    assert evaluate("thing.cached", NAMESPACE) is vars(Thing)["cached"]


def test_code_of_trusted_libraries_may_run() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"price": [1, 2]})

    class Mine(pandas.DataFrame):
        computed = property(forbidden)

    namespace = {"table": table, "mine": Mine(table)}
    assert list(evaluate("table.price", namespace)) == [1, 2]
    assert list(evaluate("table['price']", namespace)) == [1, 2]
    assert list(evaluate("mine.loc", namespace).obj) == ["price"]
    assert evaluate("mine.computed", namespace) is Mine.computed
