from __future__ import annotations

import ast
import collections
import os
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.interpreter.keys import LONGEST, matches
from minikernel.interpreter.places import Place


def forbidden(*_: Any) -> Any:
    pytest.fail("the user's code ran")


class Table:
    def _ipython_key_completions_(self) -> list[str]:
        return ["price", "size"]


class Broken:
    def _ipython_key_completions_(self) -> Any:
        raise ValueError


class Endless:
    def _ipython_key_completions_(self) -> Any:
        return iter(int, 1)


class OwnDict(dict[Any, Any]):
    keys = __iter__ = __getitem__ = forbidden


class OwnMapping(collections.abc.Mapping[Any, Any]):
    __len__ = __iter__ = __getitem__ = forbidden


class Thing:
    computed = property(forbidden)

    def __init__(self) -> None:
        self.attribute = {"in": {"deep": 1}}


NAMESPACE: dict[str, Any] = {
    "t": Table(),
    "d": {"first": 1, "it's": 2, 'a"b': 3, "new\nline": 4, "b\\s": 5, "é🙂": 6, "n": {"m": 1}},
    "numbers": {1: 1, 12: 2, -3: 3, 2.5: 4, None: 5, float("nan"): 6, 1j: 7},
    "raw": {b"ab": 1, b"\xff'": 2},
    "tuples": {("a", "b"): 1, ("a", 2): 2, ("c", "d", "e"): 3, "solo": 4, ("f",): 5},
    "own": OwnDict(key=1),
    "default": collections.defaultdict(dict, {"q": {"r": 1}}),
    "chain": collections.ChainMap({"c": 1}, {"d": 2}),
    "user": collections.UserDict(u=1),
    "proxy": types.MappingProxyType({"p": 1}),
    "items": [{"in": 1}],
    "thing": Thing(),
    "mapping": OwnMapping(),
    "broken": Broken(),
    "endless": Endless(),
    "os": os,
    "text": "abc",
    "Table": Table,
}


def keys(marked: str, namespace: Any = NAMESPACE) -> list[str] | None:
    before, _, rest = marked.partition("|")
    found = matches(Place(before), rest, namespace)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("marked", "found"),
    [
        ("t['", ["'price'", "'size'"]),
        ("t['pr", ["'price'"]),
        ('t["pr', ['"price"']),
        ("t[", ["'price'", "'size'"]),
        ("t['pr|']", ["'price"]),
        ('t["pr|"]', ['"price']),
        ("t[['price', 's", ["'size'"]),
        ("t['x'", None),
        ("d['it", ["'it\\'s'"]),
        ('d["it', ['"it\'s"']),
        ("d['a", ["'a\"b'"]),
        ('d["a', ['"a\\"b"']),
        ("d['new", ["'new\\nline'"]),
        ("d['''new", ["'''new\\nline'''"]),
        ("d['b", ["'b\\\\s'"]),
        ("d[r'b", []),
        ("d[r'fi", ["r'first'"]),
        ("d[u'fi", ["u'first'"]),
        ("d[b'fi", []),
        ("d[f'fi", []),
        ("d['é", ["'é🙂'"]),
        ("'🙂' + d['fi", ["'first'"]),
        ("d['n']['", ["'m'"]),
        ("d['n'][", ["'m'"]),
        ("(d)['n']\t['", ["'m'"]),
        ("print(d['fi", ["'first'"]),
        ("f'{d[\"fi", ['"first"']),
        ("x = (1 +\nd['fi", ["'first'"]),
        ("1 +\nd[\n  'fi", ["'first'"]),
        ("d['first'] + d['n']['", ["'m'"]),
        ("numbers[", ["1", "12", "-3", "2.5", "None"]),
        ("numbers[1", ["1", "12"]),
        ("numbers[-", ["-3"]),
        ("numbers['", []),
        ("raw[b'", ["b'ab'", "b'\\xff\\''"]),
        ("raw[", ["b'ab'", 'b"\\xff\'"']),
        ("raw['", []),
        ("tuples[", ["('a', 'b')", "('a', 2)", "('c', 'd', 'e')", "'solo'", "('f',)"]),
        ("tuples['", ["'a'", "'c'", "'solo'", "'f'"]),
        ("tuples['a', ", ["'b'", "2"]),
        ("tuples['a', '", ["'b'"]),
        ("tuples[('c', 'd', '", ["'e'"]),
        ("tuples['nowhere', '", []),
        ("own['", ["'key'"]),
        ("default['q']['", ["'r'"]),
        ("default['nowhere']['", None),
        ("chain['", ["'d'", "'c'"]),
        ("user['", ["'u'"]),
        ("proxy['", ["'p'"]),
        ("items[0]['", ["'in'"]),
        ("thing.attribute['", ["'in'"]),
        ("thing.attribute['in']['", ["'deep'"]),
        ("thing.computed['", None),
        ("mapping['", []),
        ("broken['", []),
        ("Table['", []),
        ("text['", []),
        ("nowhere['", None),
        ("t()['", None),
        ("t.get('", None),
        ("['", None),
        ("x = ['", None),
        ("{'", None),
        ("t", None),
        ("d[fi", None),
        ("d['first':'", None),
        ("d['a' 'b", None),
    ],
)
def test_keys(marked: str, found: Any) -> None:
    assert keys(marked) == found


def test_an_object_without_end_is_cut() -> None:
    assert keys("endless[") == ["0"]
    many = {"many": {f"key {number}": 1 for number in range(LONGEST + 5)}}
    assert len(keys("many['", many) or ()) == LONGEST


def test_the_environment() -> None:
    assert "'PATH'" in (keys("os.environ['PA") or ())


def test_tables_series_and_structured_arrays() -> None:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    table = pandas.DataFrame({"price": [1], "it's": [2]}, index=["row"])
    levels = pandas.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "z")])
    namespace = {
        "df": table,
        "series": table.loc["row"],
        "many": pandas.DataFrame([[1, 2, 3]], columns=levels),
        "array": numpy.zeros(2, dtype=[("x", "f4"), ("y", "i4")]),
        "plain": numpy.zeros(2),
        "groups": table.groupby("price"),
        "numbered": pandas.DataFrame([[1, 2]]),
    }
    expected = {
        "df['": ["'price'", "'it\\'s'"],
        'df["pr': ['"price"'],
        "df[['price', 'it": ["'it\\'s'"],
        "df.loc['": ["'row'"],
        "df.loc['row', 'p": ["'price'"],
        "df.loc[df.price > 3, ['p": ["'price'"],
        "df.loc[:, 'p": ["'price'"],
        "df.at['": ["'row'"],
        "df.iloc[": [],
        "series['p": ["'price'"],
        "df['price']['": ["'row'"],
        "many['": ["'a'", "'b'"],
        "many['a', '": ["'x'", "'y'"],
        "array['": ["'x'", "'y'"],
        "array[0]['": ["'x'", "'y'"],
        "array[['x', 'y": ["'y'"],
        "plain['": [],
        "groups['p": ["'price'"],
        "numbered[": ["0", "1"],
    }
    assert {marked: keys(marked, namespace) for marked in expected} == expected


plain = st.text() | st.binary() | st.integers() | st.booleans() | st.none()
quotes = st.sampled_from(["", "'", '"', "'''", '"""', "b'", 'b"'])


@given(st.dictionaries(plain | st.tuples(plain, plain), st.none(), max_size=5), quotes)
def test_what_is_offered_is_a_key_and_goes_on_from_what_is_typed(found: Any, typed: str) -> None:
    for text in keys(f"found[{typed}", {"found": found}) or ():
        assert text.startswith(typed)
        key = ast.literal_eval(text)
        assert key in found or any(isinstance(k, tuple) and k[0] == key for k in found)
