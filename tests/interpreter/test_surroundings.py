from __future__ import annotations

import linecache
from typing import Any


def test_cells_live_in_main(cell: Any) -> None:
    cell.good("import sys, __main__\nx = 1\nclass A: pass")
    assert cell.value("sys.modules['__main__'].x") == 1
    assert cell.value("__name__") == "__main__"
    assert cell.value("A.__module__") == "__main__"
    assert cell.value("'__file__' in globals()") is False


def test_main_is_replaced_and_put_back(in_child: Any) -> None:
    out = in_child("""
        import builtins
        assert sys.modules["__main__"] is not before
        send("import getpass")
        replaced = sys.stdin, sys.displayhook, builtins.input
        engine.close()
        assert sys.modules["__main__"] is before
        now = sys.stdin, sys.displayhook, builtins.input
        print([a is b for a, b in zip(replaced, now)], hasattr(builtins, "display"), sys.meta_path)
    """)
    assert out.startswith("[False, False, False] False")
    assert "minikernel" not in out


def test_classes_of_cells_can_be_pickled(cell: Any) -> None:
    cell.good("import pickle\nclass Point:\n    pass\np = pickle.loads(pickle.dumps(Point()))")
    assert cell.value("type(p) is Point")


def test_the_working_directory_comes_first_on_the_path(
    cell: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    (tmp_path / "neighbour.py").write_text("x = 7")
    monkeypatch.chdir(tmp_path)
    cell.good(
        "import sys\nassert sys.path[0] == ''\nimport neighbour\ndel sys.modules['neighbour']"
    )
    assert cell.value("neighbour.x") == 7


def test_future_imports_hold_for_later_cells(cell: Any) -> None:
    cell.bad("def f(x: undefined): pass")
    cell.good("from __future__ import annotations")
    cell.good("def f(x: undefined): pass")
    cell.good("1")
    assert cell.value("f.__annotations__") == {"x": "undefined"}


def test_a_future_import_holds_for_the_last_expression_of_its_cell(cell: Any) -> None:
    cell.good("from __future__ import annotations\n(lambda: 1)")


def test_the_source_of_functions_can_be_read_later(cell: Any) -> None:
    cell.good("def twice(x):\n    return x * 2")
    cell.good("1")
    cell.good(
        "import inspect, linecache\nlinecache.checkcache()\nsource = inspect.getsource(twice)"
    )
    assert cell.value("source") == "def twice(x):\n    return x * 2\n"


def test_doctests_in_cells_run(cell: Any) -> None:
    cell.good('def one():\n    """\n    >>> one()\n    1\n    """\n    return 1')
    cell.good("import doctest\noutcome = doctest.testmod()")
    assert cell.value("tuple(outcome)") == (0, 1)


def test_sources_nobody_can_ask_for_take_no_memory(cell: Any) -> None:
    cell.good("x = 1")
    for _ in range(20):
        cell.bad("1 / 0")
        cell.bad("1 +")
    assert len([name for name in linecache.cache if name.startswith("<cell")]) <= 1


def test_decimal_settings_last_from_cell_to_cell_also_in_a_loop(cell: Any) -> None:
    cell.good("import asyncio, decimal\ndecimal.getcontext().prec = 5")
    cell.good("await asyncio.sleep(0)\ndecimal.getcontext().prec += 2")
    cell.good("text = str(decimal.Decimal(1) / 3)")
    assert cell.value("text") == "0.3333333"


def test_fork_in_a_cell_leaves_the_parent_as_it_was(cell: Any, tmp_path: Any) -> None:
    mark = tmp_path / "mark"
    cell.good(
        f"import os\npid = os.fork()\nif not pid:\n    open({str(mark)!r}, 'w').close()\n"
        "    os._exit(0)\nos.waitpid(pid, 0)"
    )
    cell.good("'alive'")
    assert mark.exists()
    assert cell.frontend.texts[-1] == "'alive'"


def test_processes_forked_by_multiprocessing_run_functions_of_cells(in_child: Any) -> None:
    out = in_child("""
        send("def double(x):\\n    return 2 * x")
        send("import multiprocessing\\npool = multiprocessing.get_context('fork').Pool(1)")
        send("pool.map(double, [1, 2])")
        send("pool.close(); pool.join()")
    """)
    assert out == "result [2, 4]\n"


def test_input_asks_the_frontend(cell: Any) -> None:
    cell.frontend.answers.append("Ada")
    cell.good("name = input('Name? ')")
    assert cell.value("name") == "Ada"
    assert cell.frontend.questions == [("Name? ", False)]


def test_getpass_asks_without_echo(cell: Any) -> None:
    cell.frontend.answers.append("secret")
    cell.good("import getpass\nword = getpass.getpass('Key: ')")
    assert cell.value("word") == "secret"
    assert cell.frontend.questions == [("Key: ", True)]


def test_input_that_is_not_allowed_fails_the_cell(cell: Any, plain: Any) -> None:
    failure = cell.bad("input()")
    assert failure.ename == "NotImplementedError"
    assert "stdin.py" not in plain(failure)


def test_code_interact_reads_from_the_frontend(cell: Any, capsys: Any) -> None:
    cell.frontend.answers.extend(["x = 6 * 7", "print(x)", "raise EOFError"])
    cell.bad("import code\ncode.InteractiveConsole().interact(banner='', exitmsg='')")
    assert "42" in capsys.readouterr().out
    assert len(cell.frontend.questions) == 4
