from __future__ import annotations

from typing import Any

import pytest


def test_a_plain_cell_needs_no_loop_and_imports_nothing(in_child: Any) -> None:
    out = in_child("""
        before = set(sys.modules)
        send("x = 1\\nx + 1")
        send("import collections.abc")
        new = set(sys.modules) - before
        heavy = {"asyncio", "sqlite3", "jedi", "IPython", "traitlets", "pdb", "pydoc", "logging"}
        print(sorted(new), sorted(heavy & set(sys.modules)))
    """)
    assert out == "result 2\n[] []\n"


@pytest.mark.parametrize("code", ["import asyncio", "await f()", "async with f(): pass"])
def test_a_cell_that_may_need_a_loop_asks_for_one_before_it_runs(code: Any, in_child: Any) -> None:
    out = in_child(f"""
        import types
        waiting = send({"ran = 1" + chr(10) + code!r})
        print(type(waiting) is types.CoroutineType, "ran" in vars(sys.modules["__main__"]))
        waiting.close()
    """)
    assert out == "True False\n"


def test_top_level_await_gives_a_value(cell: Any) -> None:
    cell.good("import asyncio\nawait asyncio.sleep(0, 5)")
    assert cell.frontend.texts == ["5"]


def test_await_in_the_body_and_a_plain_last_expression(cell: Any) -> None:
    cell.good("import asyncio\nx = await asyncio.sleep(0, 5)\nx + 1")
    assert cell.frontend.texts == ["6"]


def test_async_for_with_and_comprehensions_at_top_level(cell: Any) -> None:
    cell.good("async def numbers():\n    yield 1\n    yield 2")
    cell.good("[n async for n in numbers()]")
    cell.good("total = 0\nasync for n in numbers():\n    total += n\ntotal")
    assert cell.frontend.texts == ["[1, 2]", "3"]


def test_a_task_made_in_a_plain_cell_goes_on_between_cells(cell: Any) -> None:
    cell.good("import asyncio\nseen = []\nasync def work():\n    seen.append(1)")
    cell.good("task = asyncio.create_task(work())")
    cell.good("await task")
    assert cell.value("seen") == [1]


def test_an_awaiting_cell_is_a_task_of_its_own(cell: Any) -> None:
    cell.good("import asyncio\ndriver = asyncio.current_task()")
    cell.good("await asyncio.sleep(0)\nmine = asyncio.current_task()\nmine is not driver")
    assert cell.frontend.texts == ["True"]


def test_the_traceback_of_an_awaiting_cell_has_its_lines_only(cell: Any, plain: Any) -> None:
    text = plain(
        cell.bad("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    1/0\nawait f()")
    )
    assert "line 5, in <module>" in text
    assert "line 4, in f" in text
    assert "minikernel" not in text
