from __future__ import annotations

import functools
import re
import sys
from typing import Any

import pytest

from minikernel.interpreter.describe import describe, describe_at, source_of


def greet(name: str, *, loud: bool = False) -> str:
    """Greet somebody."""
    return name.upper() if loud else name


class Greeter:
    """Greets."""

    def __init__(self, name: str) -> None:
        """Take the name."""
        self.name = name

    @property
    def costly(self) -> None:
        """Costs a lot."""
        raise AssertionError("a description ran a property")


class Hostile:
    __doc__ = 3
    __wrapped__ = property(lambda _: 1 / 0)

    def __repr__(self) -> None:
        raise ValueError

    def __len__(self) -> None:
        raise ValueError

    def __getattr__(self, name: Any) -> None:
        raise RuntimeError(name)


NAMESPACE = {"greet": greet, "Greeter": Greeter, "g": Greeter("Ada"), "h": Hostile(), "sys": sys}


def page(name: Any, detail: Any = 0) -> Any:
    return re.sub(r"\x1b\[\d*m", "", describe(name, detail, NAMESPACE)["text/plain"])


def test_a_function_has_signature_docstring_file_and_type() -> None:
    text = page("greet")
    assert "Signature: greet(name: 'str', *, loud: 'bool' = False) -> 'str'" in text
    assert "Docstring: Greet somebody." in text
    assert f"File: {__file__}" in text
    assert "Type: function" in text
    assert "name.upper()" not in text


def test_detail_shows_the_source_instead_of_the_docstring() -> None:
    assert "return name.upper()" in page("greet", 1)
    assert "Docstring" not in page("greet", 1)
    assert "Return the number of items" in page("len", 1)  # has no source in Python


def test_a_class_shows_how_it_is_made() -> None:
    text = page("Greeter")
    assert "Init signature: Greeter(name: 'str') -> 'None'" in text
    assert "Init docstring: Take the name." in text


def test_a_value_shows_itself_shortened() -> None:
    assert page("g").startswith("Value: <test")
    long = describe("x", 0, {"x": "y" * 10_000})["text/plain"]
    assert "Length:" in long
    assert len(long) < 1500


def test_a_property_is_described_and_not_run() -> None:
    assert "Costs a lot." in page("g.costly")


def test_hostile_objects_are_described() -> None:
    text = page("h")
    assert "its __repr__ raised ValueError" in text
    assert page("h", 1)


def test_the_source_of_a_class_of_a_cell_is_found(cell: Any) -> None:
    cell.good("x = 1\nclass Point:\n    '''A point.'''\n    def norm(self):\n        return 99\n")
    text = cell.engine.inspect("Point", 2, 1)["text/plain"]
    assert "class Point:" in text
    assert "return 99" in text


def test_the_source_of_a_decorated_function_is_its_own() -> None:
    @functools.wraps(greet)
    def wrapper() -> None:
        pass

    assert "def greet" in source_of(wrapper)


@pytest.mark.parametrize(
    ("code", "cursor"), [("greet(", 6), ("greet(1, ", 9), ("gre", 1), ("x = greet", 7)]
)
def test_the_name_or_else_the_call_at_the_cursor(code: Any, cursor: Any) -> None:
    found = describe_at(code, cursor, 0, {"greet": greet, "gre": greet})
    assert "Greet somebody." in found["text/plain"]


def test_jedi_knows_what_nothing_has_imported_yet() -> None:
    pytest.importorskip("jedi")
    found = describe_at("import textwrap\ntextwrap.dedent", 25, 0, {})
    assert "whitespace" in found["text/plain"]


@pytest.mark.parametrize("code", ["", "   ", "nowhere", "1 + 1", "'text'", "((((", "\0", "\ud800"])
@pytest.mark.parametrize("cursor", [-1, 0, 1, 99])
def test_nothing_to_say_is_none(code: Any, cursor: Any) -> None:
    assert describe_at(code, cursor, 0, {}) is None


@pytest.mark.parametrize(
    "marked",
    [
        "unknown([1]).greet(|",
        "unknown([1]).greet|",
        "unknown.greet(|",
        "[1][0].greet(|",
        "unknown['greet'].greet(|",
        "# greet(|",
        "# greet|",
        "'greet|",
        "x = 'greet(|",
        "(1).nowhere(|",
    ],
)
def test_a_global_of_the_same_name_is_not_meant(marked: str) -> None:
    code = marked.replace("|", "")
    assert describe_at(code, marked.index("|"), 0, NAMESPACE) is None


@pytest.mark.parametrize(
    ("marked", "signature"),
    [
        ("keys['a'].upper(|", "upper()"),
        ("keys['a'].upp|er", "upper()"),
        ("'abc'.upper(|", "upper()"),
        ("print(unknown, greet(|", "greet(name"),
        ("f'{greet(|", "greet(name"),
        ("'🙂'; greet(|", "greet(name"),
        ("greet(\n  'text|", "greet(name"),
        ("1 +\ngreet(|", "greet(name"),
    ],
)
def test_what_is_meant_is_found(marked: str, signature: str) -> None:
    code = marked.replace("|", "")
    found = describe_at(code, marked.index("|"), 0, {**NAMESPACE, "keys": {"a": "text"}})
    assert f"Signature:\x1b[39m {signature}" in (found or {})["text/plain"]
