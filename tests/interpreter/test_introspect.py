from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikernel.interpreter.introspect import called_at, complete, find, name_at


class Thing:
    ran = 0

    @property
    def costly(self) -> Any:
        Thing.ran += 1
        return "costly"

    def method(self, number: int) -> int:
        return number


NAMESPACE = {"thing": Thing(), "Thing": Thing, "table": {"first": 1}, "é_name": 3, "sys": sys}


@pytest.fixture(params=["jedi", "own"])
def way(request: Any, monkeypatch: Any) -> Any:
    """Complete with jedi, and as if it were not installed."""
    if request.param == "own":
        monkeypatch.setitem(sys.modules, "jedi", None)
    else:
        pytest.importorskip("jedi")
    return request.param


both_ways = pytest.mark.usefixtures("way")


@both_ways
@pytest.mark.parametrize(
    ("code", "match", "kind"),
    [
        ("thi", "thing", "instance"),
        ("thing.meth", "method", "function"),
        ("x = 1\nthing.m", "method", "function"),
        ("Thi", "Thing", "class"),
        ("print(thi", "thing", "instance"),
        ("impo", "import", "keyword"),
        ("prin", "print", "function"),
        ("import js", "json", "module"),
        ("é_n", "é_name", "instance"),
        ("sys.modul", "modules", "instance"),
    ],
)
def test_matches_with_their_kinds(code: Any, match: Any, kind: Any) -> None:
    found = complete(code, len(code), NAMESPACE)
    assert len(found.types) == len(found.matches)
    kinds = dict(zip(found.matches, found.types, strict=True))
    assert kinds[match] == kind
    assert code[found.start : found.end] == match[: found.end - found.start]


@both_ways
def test_positions_are_code_points() -> None:
    code = "'𝒳é'; thing.meth"
    found = complete(code, len(code), NAMESPACE)
    assert (found.start, found.end) == (len(code) - 4, len(code))


@both_ways
def test_the_cursor_may_stand_in_the_middle() -> None:
    found = complete("thing.meth + 1", 8, NAMESPACE)
    assert found.matches == ["method"]
    assert (found.start, found.end) == (6, 8)


def test_jedi_completes_keys_and_definitions_of_the_cell_itself() -> None:
    pytest.importorskip("jedi")
    assert complete("table['f", 8, NAMESPACE).matches == ["'first'"]
    assert "inner_name" in complete("inner_name = 1\ninn", 18, NAMESPACE).matches


def test_our_own_way_runs_no_property(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "jedi", None)
    before = Thing.ran
    found = complete("thing.", 6, NAMESPACE)
    assert dict(zip(found.matches, found.types, strict=True))["costly"] == "property"
    complete("thing.costly.", 13, NAMESPACE)
    assert Thing.ran == before


@both_ways
@pytest.mark.parametrize("cursor", [-5, 0, 3, 10_000])
def test_cursors_outside_are_moved_inside(cursor: Any) -> None:
    found = complete("th", cursor, NAMESPACE)
    assert 0 <= found.start <= found.end <= 2


@both_ways
def test_objects_that_fail_in_dir_complete_to_nothing() -> None:
    class Hostile:
        def __dir__(self) -> None:
            raise RuntimeError

    found = complete("h.", 2, {"h": Hostile()})
    assert 0 <= found.start <= found.end <= 2


@settings(deadline=None, max_examples=60)
@given(
    st.text(alphabet="thing.[]('\"\n \t\\é𝒳\0\ud800=:1", max_size=20),
    st.integers(-3, 25),
)
def test_any_text_and_cursor_get_an_answer(code: Any, cursor: Any) -> None:
    found = complete(code, cursor, NAMESPACE)
    assert 0 <= found.start <= found.end <= len(code)
    assert len(found.types) == len(found.matches)


@pytest.mark.parametrize(
    ("marked", "name"),
    [
        ("a|bc", "abc"),
        ("abc|", "abc"),
        ("|abc", "abc"),
        ("a.b|.c", "a.b"),
        ("a.b.c|", "a.b.c"),
        ("a.|b", "a.b"),
        ("x + a|", "a"),
        ("x = 1\na.b|(c)", "a.b"),
        ("1 |+ 2", ""),
        ("|", ""),
    ],
)
def test_the_name_at_the_cursor(marked: Any, name: Any) -> None:
    cursor = marked.index("|")
    assert name_at(marked.replace("|", ""), cursor) == name


@pytest.mark.parametrize(
    ("marked", "name"),
    [
        ("f(|", "f"),
        ("a.f(1, |", "a.f"),
        ("f(g(1), |)", "f"),
        ("f([1, |", "f"),
        ("f(1)|", ""),
        ("(|", ""),
        ("|f(", ""),
    ],
)
def test_the_function_called_at_the_cursor(marked: Any, name: Any) -> None:
    cursor = marked.index("|")
    assert called_at(marked.replace("|", ""), cursor) == name


def test_find_walks_attributes_without_running_properties() -> None:
    before = Thing.ran
    assert find("sys.modules", NAMESPACE) is sys.modules
    assert find("len", NAMESPACE) is len
    assert isinstance(find("thing.costly", NAMESPACE), property)
    assert Thing.ran == before
    for name in ("nowhere", "thing.nowhere", "nowhere.at.all"):
        with pytest.raises(LookupError):
            find(name, NAMESPACE)


def test_pathological_code_does_not_keep_the_kernel_busy() -> None:
    code = "(" * 100_000 + "prin"
    assert "print" in complete(code, len(code), {}).matches
