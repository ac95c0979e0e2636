from __future__ import annotations

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
