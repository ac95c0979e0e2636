from __future__ import annotations

import builtins
from typing import Any

import pytest

from minikernel.interpreter.results import KEPT, Results


def test_the_same_source_again_takes_no_memory() -> None:
    results = Results({})
    one, two = (f"x = {number}" for number in (1, 1))
    results.keep_source(one)
    results.keep_source(two)
    assert results.sources == ["", "x = 1", "x = 1"]
    assert results.sources[2] is one


def test_out_drops_the_oldest() -> None:
    results = Results({})
    for number in range(1, KEPT + 2):
        results.keep_value(number, number)
    assert 1 not in results.values
    assert len(results.values) == KEPT


def test_out_does_not_hold_itself() -> None:
    namespace = {}
    results = Results(namespace)
    results.keep_value(1, results.values)
    assert namespace["Out"] == {}
    assert namespace["_"] == ""


def test_a_value_that_does_not_count_is_only_the_latest() -> None:
    namespace = {}
    results = Results(namespace)
    results.keep_value(None, "x")
    assert (namespace["_"], namespace["Out"]) == ("x", {})


class Cells:
    """Runs cells, of which the last line of each is its value."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self.results = Results(self.namespace)
        self.number = 0

    def __call__(self, source: str) -> tuple[Any, ...]:
        """Run one; returns what the three names then stand for."""
        self.number += 1
        self.results.keep_source(source)
        *lines, last = source.split("\n")
        exec("\n".join(lines), self.namespace)
        value = eval(last, self.namespace)
        if value is not None:
            self.results.keep_value(self.number, value)
        return tuple(self.namespace.get(name) for name in ("_", "__", "___"))


@pytest.fixture
def run() -> Cells:
    return Cells()


def test_the_last_three_values(run: Cells) -> None:
    seen = [run(source) for source in ("10", "20", "30", "40")]
    assert seen == [(10, "", ""), (20, 10, ""), (30, 20, 10), (40, 30, 20)]


@pytest.mark.parametrize(
    "users",
    [
        "from gettext import gettext as _",
        "def _(text): return text",
        "for _ in range(7): pass",
        "a, _ = 1, 'kept'",
        "(_, b), *__ = (('kept', 2), 3)",
        "__ = 'kept'",
        "___ = 'kept'",
    ],
)
def test_what_the_user_calls_so_is_left_alone(users: str, run: Cells) -> None:
    run("10")
    mine = run(f"{users}\nNone")
    assert run("30") == run("40") == mine
    assert run.namespace["Out"] == {1: 10, 3: 30, 4: 40}


def test_the_values_are_back_when_the_users_name_is_gone(run: Cells) -> None:
    run("10")
    run("_ = 'mine'\nNone")
    assert run("30") == ("mine", "", "")
    run("del _\nNone")
    assert run("50") == (50, 30, 10)
    assert run("60") == (60, 50, 30)


def test_a_function_in_builtins_is_not_hidden(run: Cells, monkeypatch: Any) -> None:
    run("10")
    monkeypatch.setattr(builtins, "_", str.upper, raising=False)
    run("_('text')")
    run("30")
    assert run.namespace["Out"] == {1: 10, 2: "TEXT", 3: 30}
    assert "_" not in run.namespace


def test_a_value_that_doctest_left_in_builtins_hides_nothing(run: Cells, monkeypatch: Any) -> None:
    monkeypatch.setattr(builtins, "_", None, raising=False)
    run("10")
    assert run("20") == (20, 10, "")
