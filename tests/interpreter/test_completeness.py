from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.interpreter.completeness import is_complete


@pytest.mark.parametrize(
    "code",
    [
        "",
        "   \n",
        "1 + 1",
        "x = [\n  1,\n  2]",
        "f(1,\n  2)",
        "if x: pass",
        "for i in range(3):\n  print(i)\n",
        "for i in range(3):\n  print(i)\n  ",
        "def f():\n    return 1\n\n",
        "x = '''\n  text'''",
        "x = (1 +\n     2)",
        "await f()",
        "async with f() as g: pass",
        "%time f(",
        "!ls (",
        "str?",
        "?str",
        "# only a comment",
        "    #\ud800",
        "x = 1\n# :",
    ],
)
def test_complete(code: Any) -> None:
    assert is_complete(code, 0) == ("complete", "")


@pytest.mark.parametrize(
    ("code", "indent"),
    [
        ("for i in range(3):", "    "),
        ("for i in range(3):\n  print(i)", "  "),
        ("if x:  # why", "    "),
        ("class A:\n    def f(self):", "        "),
        ("class A:\n    def f(self):\n        return 1", "    "),
        ("def f():\n    x = 1", "    "),
        ("def f():\n    pass", ""),
        ("async def f():", "    "),
        ("x = [", ""),
        ("x = '''abc", ""),
        ("@decorator", ""),
        ("x = 1 + \\", ""),
        ("print(1,", ""),
        ("try:\n    pass", ""),
    ],
)
def test_incomplete(code: Any, indent: Any) -> None:
    assert is_complete(code, 0) == ("incomplete", indent)


@pytest.mark.parametrize(
    "code", ["a b", "1 +", "import", "x = 'abc", ")", "  x\n y", "def f(:", "x = '\0'", "\ud800("]
)
def test_invalid(code: Any) -> None:
    assert is_complete(code, 0) == ("invalid", "")


def test_future_features_are_in_force() -> None:
    import __future__

    flags = __future__.barry_as_FLUFL.compiler_flag
    assert is_complete("1 <> 2", 0)[0] == "invalid"
    assert is_complete("1 <> 2", flags)[0] == "complete"


def test_a_warning_of_the_compiler_stays_silent(recwarn: Any) -> None:
    assert is_complete("'\\d' is 1", 0)[0] == "complete"
    assert len(recwarn) == 0


@given(st.text(alphabet="abdefi:=()[]{}'\"\\ \n\t#%!?@;.,1é\0\ud800", max_size=30))
def test_any_text_has_a_verdict(code: Any) -> None:
    verdict, indent = is_complete(code, 0)
    assert verdict in {"complete", "incomplete", "invalid"}
    assert indent.strip() == ""


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("x = \\", ("incomplete", "")),
        ("x = \\\n", ("incomplete", "")),
        ("if x and \\\n", ("incomplete", "")),
        ("f('", ("incomplete", "")),
        ('print(1, "a', ("incomplete", "")),
        ("'", ("invalid", "")),
        ("f(')", ("invalid", "")),
        ("x = 'a", ("invalid", "")),
        ("def f(a,", ("incomplete", "")),
        ("def f(a,\n      b", ("incomplete", "      ")),
        ("    x = 5", ("complete", "")),
        ("    x = 5\n    y = 6", ("complete", "")),
        ("  if x:", ("incomplete", "      ")),
        ("a = 1 \\\n  + 2", ("complete", "")),
    ],
)
def test_lines_that_go_on_and_cells_that_are_indented(code: str, verdict: Any) -> None:
    assert is_complete(code, 0) == verdict
