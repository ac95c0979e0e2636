"""A word on cells that are IPython's; none on mistakes in Python."""

from __future__ import annotations

import pytest

from minikernel.interpreter.magics import NO_MAGICS, NO_PIP, NOT_ALONE, advice


@pytest.mark.parametrize(
    ("code", "line", "word"),
    [
        ("%matplotlib inline", 1, NO_MAGICS),
        ("%%timeit\nx", 1, NO_MAGICS),
        ("\n%%bash\nls -l", 3, NO_MAGICS),
        ("!ls", 1, NO_MAGICS),
        ("x = 1\nfiles = !ls", 2, NO_MAGICS),
        ("t = %time f()", 1, NO_MAGICS),
        ("cd data", 1, NO_MAGICS),
        ("pip install numpy", 1, NO_PIP),
        ("!pip3 install numpy", 1, NO_PIP),
        ("%conda install numpy", 1, NO_PIP),
        ("x = 1\nx?", 2, NOT_ALONE),
        ("x = 1\n?x", 2, NOT_ALONE),
    ],
)
def test_what_is_meant_for_ipython(code: str, line: int, word: str) -> None:
    assert advice(code, line) == word


@pytest.mark.parametrize(
    ("code", "line"),
    [("f(", 1), ("x = = 1", 1), ("for x in y", 1), ("time = ", 1), ("", None), ("f(", 9)],
)
def test_mistakes_in_python(code: str, line: int | None) -> None:
    assert advice(code, line) is None
