from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.interpreter.places import Place


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("x = 1", "code"),
        ("# x", "comment"),
        ("x  # it's", "comment"),
        ("# x\n", "code"),
        ("'x", "text"),
        ("'x'", "code"),
        ('"# x', "text"),
        ("'x\n", "code"),  # never closed, and its line is over
        ("'x\\\n", "text"),
        ("'''x\n# y", "text"),
        ("'''x'''", "code"),
        ("r'\\'", "text"),
        ("rb'\\\\'", "code"),
        ("don't", "text"),
        ("f'{x", "code"),
        ("f'{x}", "text"),
        ("f'{{x", "text"),
        ("f'{x!r:>{width", "code"),
        ("f'{x!r:>{width}} ", "text"),
        ("f'{d[\"a", "text"),
        ("f'{d[\"a\"]}'", "code"),
        ("f'{x}' # y", "comment"),
        ("f'''{\nx", "code"),
        ("x = (\n'y", "text"),
        (")]}'", "text"),
        ("", "code"),
    ],
)
def test_where_a_cursor_is(code: str, where: str) -> None:
    place = Place(code)
    seen = "comment" if place.in_comment else "text" if place.string >= 0 else "code"
    assert seen == where


def ending(code: str) -> str:
    place = Place(code)
    return place.primary(len(place.tokens) - 1)


@pytest.mark.parametrize(
    ("code", "expression"),
    [
        ("a", "a"),
        ("x + a.b", "a.b"),
        ("a . b", "a . b"),
        ("f(1)", "f(1)"),
        ("np.array([1]).mean", "np.array([1]).mean"),
        ("x = d['a']['b'].c", "d['a']['b'].c"),
        ("print(d['a'].b", "d['a'].b"),
        ("(a + b).c", "(a + b).c"),
        ("[1].append", "[1].append"),
        ("x 'abc'.upper", "'abc'.upper"),
        ("f'{a}'.upper", "f'{a}'.upper"),
        ("return d", "d"),
        ("x in [1]", "[1]"),
        ("a\nb.c", "b.c"),
        ("a\n.c", ""),
        ("a +", ""),
        (".c", ""),
        ("in", ""),
        ("", ""),
    ],
)
def test_the_expression_that_ends_there(code: str, expression: str) -> None:
    assert ending(code) == expression


@pytest.mark.parametrize(
    ("code", "is_subscript"),
    [
        ("a[", True),
        ("f()[", True),
        ("a[0][", True),
        ("'a'[", True),
        ("[", False),
        ("x = [", False),
        ("in [", False),
        ("f([", False),
        ("a(", False),
        ("f'{a[", True),
    ],
)
def test_brackets_of_subscripts_and_of_lists(code: str, is_subscript: bool) -> None:
    place = Place(code)
    assert place.is_subscript(place.opened[-1]) is is_subscript


def test_long_code_takes_no_longer_than_it_must() -> None:
    for code in ("(" * 100_000, "f'{" * 50_000, "'" * 100_001, "x." * 100_000, "{{'" * 50_000):
        Place(code)


@given(st.text(alphabet="ab.[](){}'\"\\\n #f0,:", max_size=40))
def test_any_code_has_places(code: Any) -> None:
    place = Place(code)
    for index in range(len(place.tokens)):
        assert place.primary(index) in code
    assert not (place.in_comment and place.string >= 0)
