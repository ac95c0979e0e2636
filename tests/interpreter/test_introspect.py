from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikernel.interpreter.introspect import called_at, complete, find, name_at

if TYPE_CHECKING:
    from pathlib import Path


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


COMPLETE = """
from minikernel.interpreter import introspect
introspect.PATIENCE = 60.0
print(*introspect.complete("inner_name = 1\\ninn", 18, {}).matches)
"""


@pytest.mark.slow
def test_half_written_files_of_jedi_s_cache_are_written_anew(tmp_path: Path) -> None:
    pytest.importorskip("jedi")

    def completed() -> str:
        command = [sys.executable, "-c", COMPLETE]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=100
        ).stdout

    assert completed() == "inner_name\n"
    files = [*tmp_path.rglob("*.pkl")]
    assert files
    for file in files:
        os.truncate(file, file.stat().st_size // 2)
    assert completed() == "inner_name\n"
    assert all(file.stat().st_size for file in files)


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


@both_ways
@pytest.mark.parametrize(
    "code",
    [
        *("no_such_function().", "no_such_name.", "no_such_name.attribute.", "thing.nowhere."),
        *("3.", "1.5", "x = 2.", "# thing.", "# pri", "x = 1  # table['", "x = '''\nthing.me"),
        *("'pri", "'abc thing.", "f'abc thing.", "no_such_name['", "no_such_name['pri"),
        *("def ", "class pri", "import os as pri", "b'thing.", "(1 +\n# thi"),
    ],
)
def test_where_nothing_is_known_nothing_is_offered(code: str) -> None:
    found = complete(code, len(code), NAMESPACE)
    assert found.matches == found.types == []
    assert 0 <= found.start <= found.end == len(code)


@both_ways
@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("table['f", "'first'"),
        ("'🙂é'; table['f", "'first'"),
        ("thing\n1 +\ntable[", "'first'"),
        ("f'{table[\"f", '"first"'),
        ("f'{thing.me", "method"),
        ("f'{thi", "thing"),
        ("x = (\n  thing.me", "method"),
        ("1 +\nthing.me", "method"),
        ("'🙂'; thi", "thing"),
        ("print('a', table['f", "'first'"),
        ("table[thi", "thing"),
        ("from os import pat", "path"),
    ],
)
def test_what_is_known_is_offered_wherever_the_cursor_is(code: str, match: str) -> None:
    found = complete(code, len(code), NAMESPACE)
    assert match in found.matches
    assert (code[: found.start] + match).startswith(code)


def test_files_are_offered_in_a_text_but_not_in_a_subscript(
    tmp_path: Any, monkeypatch: Any
) -> None:
    pytest.importorskip("jedi")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").touch()
    for code in ("open('pri", "x = ['pri"):
        assert complete(code, len(code), NAMESPACE).matches == ["prices.csv'"]
    for code in ("table['pri", "nowhere['pri", "nowhere[['pri", "table[0, 'pri"):
        assert complete(code, len(code), NAMESPACE).matches == []


def test_keys_of_a_dict_of_the_cell_itself() -> None:
    pytest.importorskip("jedi")
    code = "fresh = {'one': 1}\nfresh['"
    assert complete(code, len(code), NAMESPACE).matches == ["'one'"]


def test_keys_are_called_so() -> None:
    assert complete("table[", 6, NAMESPACE).types == ["dict key"]


@pytest.mark.parametrize("code", ["(" * 9_000, "[" * 9_000 + "'", "f'{" * 3_000, "x[" * 4_000])
def test_deeply_nested_code_ends_nothing(code: str) -> None:
    found = complete(code, len(code), NAMESPACE)
    assert found.end == len(code)
