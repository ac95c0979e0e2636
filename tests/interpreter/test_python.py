from __future__ import annotations

import linecache
import re
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from minikernel.interpreter.python import NO_MAGICS


def plain(failure) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(failure.traceback))


def in_child(code: str) -> str:
    """Run a script that makes engines of its own; return what it printed."""
    prelude = """
        import sys
        import __main__ as before
        from minikernel.interpreter.python import PythonEngine
        class Frontend:
            def display(self, data, metadata, **options): print("display", data)
            def result(self, count, data, metadata): print("result", data["text/plain"])
            def clear_output(self, **options): print("clear")
            def input(self, prompt, *, password=False): return "answer"
        engine = PythonEngine(Frontend(), history_file=None)
        def send(code):
            options = dict(silent=False, store_history=True, user_expressions={})
            coroutine = engine.execute(code, **options)
            try:
                coroutine.send(None)
            except StopIteration as end:
                return end.value
            return coroutine
        """
    script = textwrap.dedent(prelude) + textwrap.dedent(code)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


# Values


def test_the_value_of_the_last_expression_is_the_result(cell):
    cell.good("x = 20\nx + 1\nx + 2")
    assert cell.frontend.results == [(1, {"text/plain": "22"}, {})]


@pytest.mark.parametrize("code", ["None", "x = 1", "def f():\n    return 1", "1; x = 2", "# 1"])
def test_no_value_no_result(cell, code):
    cell.good(code)
    assert cell.frontend.results == []


@pytest.mark.parametrize(
    "code", ["1;", "1 ;  # shown: no", "(1,\n 2);", '"é" * 3;', "f'{1}';\n\n", "1\n2;\n# the end"]
)
def test_a_trailing_semicolon_hides_the_value(cell, code):
    cell.good(code)
    assert cell.frontend.results == []


@pytest.mark.parametrize("code", ["1  # no;", "';'", "'''\n;'''", "1; 2", "1\n# ;"])
def test_a_semicolon_in_a_comment_or_string_hides_nothing(cell, code):
    cell.good(code)
    assert len(cell.frontend.results) == 1


def test_underscores_out_and_in_give_back_what_was_shown(cell):
    cell.good("11")
    cell.good("22")
    cell.good("x = 0")
    cell.good("33;")
    cell.good("44")
    assert cell.value("(_, __, ___)") == (44, 22, 11)
    assert cell.value("Out") == {1: 11, 2: 22, 5: 44}
    assert cell.value("In") == ["", "11", "22", "x = 0", "33;", "44"]


def test_out_keeps_no_more_than_a_thousand_values(cell):
    for number in range(1, 1011):
        cell.good(f"{number}")
    assert len(cell.value("Out")) == 1000
    assert cell.value("Out[1010]") == 1010


def test_a_gettext_function_in_builtins_is_left_alone(cell):
    cell.good("import gettext\ngettext.install('x')\n_before = _")
    cell.good("1")
    assert cell.value("_") == ""
    cell.good("import builtins\ndel builtins._")


def test_a_silent_cell_neither_counts_nor_shows_nor_stores(cell):
    cell.good("1 + 1", silent=True)
    assert cell.engine.execution_count == 0
    assert cell.frontend.results == []
    assert cell.value("In") == [""]
    assert cell.value("Out") == {}


def test_a_cell_that_is_not_stored_shows_but_does_not_count(cell):
    cell.good("a = 1")
    cell.good("2", store_history=False)
    cell.good("3")
    assert cell.engine.execution_count == 2
    assert [text for _, text, _ in cell.frontend.results] == [
        {"text/plain": "2"},
        {"text/plain": "3"},
    ]
    assert cell.value("Out") == {2: 3}


@pytest.mark.parametrize("code", ["", "  \n\t"])
def test_a_blank_cell_does_not_count(cell, code):
    cell.good(code)
    assert cell.engine.execution_count == 0


def test_a_displayhook_of_the_users_shows_instead(cell):
    cell.good("import sys\nseen = []\nsys.displayhook = seen.append")
    cell.good("42")
    assert cell.value("seen") == [42]
    assert cell.frontend.results == []
    assert cell.value("_") == 42


def test_calling_the_displayhook_prints(cell, capsys):
    cell.good("import sys\nsys.displayhook('a')\nsys.displayhook(None)")
    assert capsys.readouterr().out == "'a'\n"


def test_a_value_that_fails_to_be_published_fails_the_cell(cell):
    def refuse(*_):
        raise TypeError("not JSON")

    cell.frontend.result = refuse
    assert cell.bad("1").ename == "TypeError"


# The namespace


def test_cells_live_in_main(cell):
    cell.good("import sys, __main__\nx = 1\nclass A: pass")
    assert cell.value("sys.modules['__main__'].x") == 1
    assert cell.value("__name__") == "__main__"
    assert cell.value("A.__module__") == "__main__"
    assert cell.value("'__file__' in globals()") is False


def test_main_is_replaced_and_put_back():
    out = in_child("""
        import builtins
        assert sys.modules["__main__"] is not before
        send("import getpass, pydoc")
        replaced = sys.stdin, sys.displayhook, builtins.input, sys.modules["pydoc"].pager
        engine.close()
        assert sys.modules["__main__"] is before
        now = sys.stdin, sys.displayhook, builtins.input, sys.modules["pydoc"].pager
        print([a is b for a, b in zip(replaced, now)], hasattr(builtins, "display"), sys.meta_path)
    """)
    assert out.startswith("[False, False, False, False] False")
    assert "minikernel" not in out


def test_classes_of_cells_can_be_pickled(cell):
    cell.good("import pickle\nclass Point:\n    pass\np = pickle.loads(pickle.dumps(Point()))")
    assert cell.value("type(p) is Point")


def test_the_working_directory_comes_first_on_the_path(cell, tmp_path, monkeypatch):
    (tmp_path / "neighbour.py").write_text("x = 7")
    monkeypatch.chdir(tmp_path)
    cell.good(
        "import sys\nassert sys.path[0] == ''\nimport neighbour\ndel sys.modules['neighbour']"
    )
    assert cell.value("neighbour.x") == 7


def test_future_imports_hold_for_later_cells(cell):
    cell.bad("def f(x: undefined): pass")
    cell.good("from __future__ import annotations")
    cell.good("def f(x: undefined): pass")
    cell.good("1")
    assert cell.value("f.__annotations__") == {"x": "undefined"}


def test_a_future_import_holds_for_the_last_expression_of_its_cell(cell):
    cell.good("from __future__ import annotations\n(lambda: 1)")


def test_the_source_of_functions_can_be_read_later(cell):
    cell.good("def twice(x):\n    return x * 2")
    cell.good("1")
    cell.good(
        "import inspect, linecache\nlinecache.checkcache()\nsource = inspect.getsource(twice)"
    )
    assert cell.value("source") == "def twice(x):\n    return x * 2\n"


def test_doctests_in_cells_run(cell):
    cell.good('def one():\n    """\n    >>> one()\n    1\n    """\n    return 1')
    cell.good("import doctest\noutcome = doctest.testmod()")
    assert cell.value("tuple(outcome)") == (0, 1)


def test_sources_nobody_can_ask_for_take_no_memory(cell):
    cell.good("x = 1")
    for _ in range(20):
        cell.bad("1 / 0")
        cell.bad("1 +")
    assert len([name for name in linecache.cache if name.startswith("<cell")]) <= 1


def test_decimal_settings_last_from_cell_to_cell_also_in_a_loop(cell):
    cell.good("import asyncio, decimal\ndecimal.getcontext().prec = 5")
    cell.good("await asyncio.sleep(0)\ndecimal.getcontext().prec += 2")
    cell.good("text = str(decimal.Decimal(1) / 3)")
    assert cell.value("text") == "0.3333333"


def test_fork_in_a_cell_leaves_the_parent_as_it_was(cell, tmp_path):
    mark = tmp_path / "mark"
    cell.good(
        f"import os\npid = os.fork()\nif not pid:\n    open({str(mark)!r}, 'w').close()\n"
        "    os._exit(0)\nos.waitpid(pid, 0)"
    )
    cell.good("'alive'")
    assert mark.exists()
    assert cell.frontend.texts[-1] == "'alive'"


# Failures


def test_a_traceback_shows_the_cells_source_and_no_frame_of_ours(cell):
    cell.good("def f():\n    return 1 / 0  # here")
    failure = cell.bad("x = 1\nf()")
    text = plain(failure)
    assert (failure.ename, failure.evalue) == ("ZeroDivisionError", "division by zero")
    assert 'File "<cell 2>", line 2, in <module>\n    f()' in text
    assert 'File "<cell 1>", line 2, in f\n    return 1 / 0  # here' in text
    assert "minikernel" not in text
    assert "\x1b[" in "\n".join(failure.traceback)


def test_a_traceback_line_has_no_newline(cell):
    assert not any("\n" in line for line in cell.bad("def f():\n    1/0\nf()").traceback)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("x = (", "SyntaxError"),
        ("  x = 1\n y = 2", "IndentationError"),
        ("return 1", "SyntaxError"),
        ("x = 1\nyield x", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise StopIteration(1)", "StopIteration"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise MemoryError", "MemoryError"),
        ("class E(BaseException): pass\nraise E", "E"),
        ("next(iter(()))", "StopIteration"),
        ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
        ("import asyncio\nawait asyncio.sleep(0)\nraise SystemExit", "SystemExit"),
        ("import asyncio\nawait asyncio.sleep(0)\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import asyncio\nawait asyncio.sleep(0)\nraise asyncio.CancelledError", "CancelledError"),
        (
            "import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(1)",
            "CancelledError",
        ),
    ],
)
def test_whatever_a_cell_raises_is_a_failure(cell, code, name):
    assert cell.bad(code).ename == name
    cell.good("'next'")
    assert cell.frontend.texts == ["'next'"]


def test_a_null_byte_is_a_failure(cell):
    assert cell.bad("x = '\0'").ename in {"SyntaxError", "ValueError"}


def test_a_cell_nested_too_deep_for_the_compiler_is_a_failure(cell):
    assert cell.bad("(" * 5000 + ")" * 5000).ename in {
        "SyntaxError",
        "MemoryError",
        "RecursionError",
    }


def test_an_exception_with_broken_methods_is_a_failure(cell):
    code = "class Odd(Exception):\n    def __str__(self): 1 / 0\n    __repr__ = __str__\nraise Odd"
    failure = cell.bad(code)
    assert failure.ename == "Odd"
    assert failure.evalue == "<unprintable Odd object>"
    assert "raise Odd" in plain(failure)


def test_an_exception_whose_str_raises_systemexit_does_not_escape(cell):
    code = "class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd"
    assert cell.bad(code).ename == "Odd"


def test_causes_are_shown(cell):
    text = plain(
        cell.bad("try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e")
    )
    assert "ZeroDivisionError: division by zero" in text
    assert "direct cause" in text
    assert text.endswith("KeyError: 'k'")


def test_an_endless_chain_of_causes_is_shown_once(cell):
    text = plain(
        cell.bad("a, b = ValueError(1), TypeError(2)\na.__cause__ = b\nb.__cause__ = a\nraise a")
    )
    assert text.endswith("ValueError: 1")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="ExceptionGroup is from Python 3.11")
def test_exception_groups_are_shown_with_their_members(cell):
    text = plain(cell.bad("raise ExceptionGroup('both', [ValueError(1), TypeError(2)])"))
    assert "ValueError: 1" in text
    assert "TypeError: 2" in text


def test_a_syntax_error_shows_the_line_and_no_frames(cell):
    text = plain(cell.bad("x = 1\nx = = 2"))
    assert 'File "<cell 1>", line 2' in text
    assert "x = = 2" in text
    assert "Traceback" not in text


def test_the_last_exception_is_kept_for_pdb(cell):
    cell.bad("def f():\n    inner = 5\n    1 / 0\nf()")
    assert sys.last_type is ZeroDivisionError
    last = sys.last_traceback
    assert last.tb_frame.f_code.co_filename == "<cell 1>"
    assert last.tb_next.tb_frame.f_locals["inner"] == 5


def test_a_failing_cell_shows_no_result(cell):
    cell.bad("1\n2/0")
    assert cell.frontend.results == []


# Magics, questions, leaving


@pytest.mark.parametrize(
    "code",
    ["%matplotlib inline", "%%bash\necho it's", "!ls", "x = 1\n  !ls", "x = 1\n%time f(", "!a 'b"],
)
def test_magics_and_shell_escapes_name_the_extra(cell, code):
    failure = cell.bad(code)
    assert (failure.ename, failure.evalue) == ("UsageError", NO_MAGICS)
    assert "minikernel[ipython]" in plain(failure)


def test_a_percent_that_continues_an_expression_is_no_magic(cell):
    cell.good("x = (7\n% 4)")
    assert cell.value("x") == 3
    assert cell.bad("x = (7\n% 4").ename == "SyntaxError"


@pytest.mark.parametrize("code", ["str?", "?str", " str ?", "?? str", "str??"])
def test_a_question_mark_asks_for_a_page(cell, code):
    (payload,) = cell.good(code).payload
    assert payload["source"] == "page"
    assert payload["start"] == 0
    assert "Create a new string object" in payload["data"]["text/plain"]


def test_two_question_marks_show_the_source(cell):
    cell.good("def f():\n    '''Does it.'''\n    return 12345")
    one, two = (cell.good(code).payload[0]["data"]["text/plain"] for code in ("f?", "f??"))
    assert "Does it." in one
    assert "12345" not in one
    assert "return 12345" in two


def test_a_question_about_nothing_is_answered(cell):
    (payload,) = cell.good("nowhere?").payload
    assert payload["data"]["text/plain"] == "Object `nowhere` not found."


def test_help_is_a_page(cell):
    (payload,) = cell.good("help(len)").payload
    assert payload["source"] == "page"
    assert "Return the number of items" in payload["data"]["text/plain"]
    assert "\b" not in payload["data"]["text/plain"]


def test_help_without_an_object_is_one_line(cell, capsys):
    assert cell.good("help()").payload == []
    assert capsys.readouterr().out.startswith("help(x) describes x")


@pytest.mark.parametrize(
    "code", ["exit", "quit", "exit()", "quit()", "exit(3)", "for _ in range(9):\n    exit()"]
)
def test_exit_asks_and_is_no_error(cell, code):
    assert cell.good(code).payload == [{"source": "ask_exit", "keepkernel": False}]
    assert cell.frontend.results == []


def test_exit_in_a_silent_cell_asks_too(cell):
    assert cell.good("exit", silent=True).payload


def test_exit_can_keep_the_kernel(cell):
    (payload,) = cell.good("exit(keep_kernel=True)").payload
    assert payload["keepkernel"] is True


def test_exit_ends_the_cell(cell):
    cell.good("x = 1\nexit()\nx = 2")
    assert cell.value("x") == 1


def test_showing_exit_in_a_list_does_not_leave(cell):
    assert cell.good("[exit]").payload == []


def test_sys_exit_is_an_error_without_a_payload(cell):
    outcome = cell("import sys\nsys.exit()")
    assert outcome.failure.ename == "SystemExit"
    assert outcome.payload == []


def test_a_payload_belongs_to_its_cell_only(cell):
    cell.good("help(len)")
    assert cell.good("1").payload == []


# User expressions


def test_user_expressions_are_formatted_or_fail_one_by_one(cell):
    outcome = cell.good("x = 3", user_expressions={"a": "x + 1", "b": "1/0", "c": "x ="})
    found = outcome.user_expressions
    assert found["a"] == {"status": "ok", "data": {"text/plain": "4"}, "metadata": {}}
    assert (found["b"]["status"], found["b"]["ename"]) == ("error", "ZeroDivisionError")
    assert found["b"]["evalue"] == "division by zero"
    assert found["b"]["traceback"]
    assert found["c"]["ename"] == "SyntaxError"


def test_user_expressions_of_a_silent_blank_cell_are_evaluated(cell):
    outcome = cell.good("", silent=True, user_expressions={"a": "1"})
    assert outcome.user_expressions["a"]["status"] == "ok"


def test_a_failing_cell_evaluates_no_user_expressions(cell):
    assert cell("1/0", user_expressions={"a": "1"}).user_expressions == {}


def test_a_user_expression_that_exits_is_an_error(cell):
    outcome = cell.good("", user_expressions={"a": "exit()"})
    assert outcome.user_expressions["a"]["status"] == "error"


# Loops


def test_a_plain_cell_needs_no_loop_and_imports_nothing():
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
def test_a_cell_that_may_need_a_loop_asks_for_one_before_it_runs(code):
    out = in_child(f"""
        import types
        waiting = send({"ran = 1" + chr(10) + code!r})
        print(type(waiting) is types.CoroutineType, "ran" in vars(sys.modules["__main__"]))
        waiting.close()
    """)
    assert out == "True False\n"


def test_top_level_await_gives_a_value(cell):
    cell.good("import asyncio\nawait asyncio.sleep(0, 5)")
    assert cell.frontend.texts == ["5"]


def test_await_in_the_body_and_a_plain_last_expression(cell):
    cell.good("import asyncio\nx = await asyncio.sleep(0, 5)\nx + 1")
    assert cell.frontend.texts == ["6"]


def test_async_for_with_and_comprehensions_at_top_level(cell):
    cell.good("async def numbers():\n    yield 1\n    yield 2")
    cell.good("[n async for n in numbers()]")
    cell.good("total = 0\nasync for n in numbers():\n    total += n\ntotal")
    assert cell.frontend.texts == ["[1, 2]", "3"]


def test_a_task_made_in_a_plain_cell_goes_on_between_cells(cell):
    cell.good("import asyncio\nseen = []\nasync def work():\n    seen.append(1)")
    cell.good("task = asyncio.create_task(work())")
    cell.good("await task")
    assert cell.value("seen") == [1]


def test_an_awaiting_cell_is_a_task_of_its_own(cell):
    cell.good("import asyncio\ndriver = asyncio.current_task()")
    cell.good("await asyncio.sleep(0)\nmine = asyncio.current_task()\nmine is not driver")
    assert cell.frontend.texts == ["True"]


def test_the_traceback_of_an_awaiting_cell_has_its_lines_only(cell):
    text = plain(
        cell.bad("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    1/0\nawait f()")
    )
    assert "line 5, in <module>" in text
    assert "line 4, in f" in text
    assert "minikernel" not in text


# Interrupts


def test_an_interrupt_raises_in_the_running_cell(cell):
    failure = cell.bad("import signal\nx = 1\nsignal.raise_signal(signal.SIGINT)\nx = 2")
    assert failure.ename == "KeyboardInterrupt"
    assert cell.value("x") == 1
    assert "line 3" in plain(failure)
    assert "minikernel" not in plain(failure)


def test_an_interrupt_between_cells_does_nothing(cell):
    cell.good("1")
    signal.raise_signal(signal.SIGINT)
    cell.good("2")


def test_an_interrupt_while_the_frontend_shows_the_result_raises_nothing(cell):
    def result(*_):
        signal.raise_signal(signal.SIGINT)
        shown.append(1)

    shown = []
    cell.frontend.result = result
    cell.good("1")
    assert shown == [1]
    cell.good("x = 3")


def test_an_interrupt_before_the_loop_runs_is_not_lost(cell):
    waiting = cell.engine.execute(
        "import asyncio\nran = True", silent=False, store_history=True, user_expressions={}
    )
    waiting.send(None)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(StopIteration) as end:
        waiting.send(None)
    assert end.value.value.failure.ename == "KeyboardInterrupt"
    assert cell.value("'ran' in globals()") is False


def test_an_interrupt_reaches_a_repr(cell):
    code = "import signal\nclass A:\n    def __repr__(self):\n        signal.raise_signal(signal.SIGINT)\n"
    assert cell.bad(code + "A()").ename == "KeyboardInterrupt"


def test_an_interrupt_cancels_a_cell_that_awaits(cell):
    cell.good("import asyncio, signal\nloop = asyncio.get_running_loop()")
    failure = cell.bad(
        "loop.call_soon(signal.raise_signal, signal.SIGINT)\nawait asyncio.Event().wait()"
    )
    assert failure.ename == "KeyboardInterrupt"
    assert 'File "<cell 2>", line 2' in plain(failure)


def test_an_interrupt_in_a_step_of_an_awaiting_cell(cell):
    failure = cell.bad(
        "import asyncio, signal\nawait asyncio.sleep(0)\nsignal.raise_signal(signal.SIGINT)"
    )
    assert failure.ename == "KeyboardInterrupt"


def test_an_interrupt_reaches_a_task_that_keeps_the_loop_busy(cell):
    cell.good(
        "import asyncio, signal\nasync def spin():\n    signal.raise_signal(signal.SIGINT)\n"
        "    while True: pass"
    )
    assert cell.bad("await asyncio.gather(spin())").ename == "KeyboardInterrupt"
    cell.good("'alive'")


def test_an_interrupt_reaches_a_callback_that_keeps_the_loop_busy(cell):
    cell.good(
        "import asyncio, signal\ndef spin():\n    signal.raise_signal(signal.SIGINT)\n"
        "    while True: pass"
    )
    code = "asyncio.get_running_loop().call_soon(spin)\nawait asyncio.Event().wait()"
    assert cell.bad(code).ename == "KeyboardInterrupt"


def test_a_cell_may_catch_its_interrupt(cell):
    cell.good(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    caught = True"
    )
    assert cell.value("caught")


def test_an_interrupt_reaches_code_run_outside_of_cells(cell, capsys):
    after = []
    with cell.engine.running():
        signal.raise_signal(signal.SIGINT)
        after.append(1)
    assert after == []
    assert "KeyboardInterrupt" in capsys.readouterr().err
    signal.raise_signal(signal.SIGINT)


def test_an_exception_outside_of_cells_is_printed(cell, capsys):
    with cell.engine.running():
        cell.value("1/0")
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "interrupts.py" not in err


def test_many_interrupts_at_any_moment_never_escape(cell):
    stop = threading.Event()
    main = threading.main_thread().ident

    def shoot():
        while not stop.is_set():
            signal.pthread_kill(main, signal.SIGINT)
            stop.wait(0.0003)

    shooter = threading.Thread(target=shoot)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # else signals come only where the loop lets go of the GIL
    shooter.start()
    try:
        names = {
            outcome.failure.ename
            for _ in range(1500)
            if (outcome := cell("x = 0\nfor i in range(2000):\n    x += i")).failure
        }
    finally:
        stop.set()
        shooter.join()
        sys.setswitchinterval(interval)
    assert names == {"KeyboardInterrupt"}
    cell.good("'alive'")


# Asking


def test_input_asks_the_frontend(cell):
    cell.frontend.answers.append("Ada")
    cell.good("name = input('Name? ')")
    assert cell.value("name") == "Ada"
    assert cell.frontend.questions == [("Name? ", False)]


def test_getpass_asks_without_echo(cell):
    cell.frontend.answers.append("secret")
    cell.good("import getpass\nword = getpass.getpass('Key: ')")
    assert cell.value("word") == "secret"
    assert cell.frontend.questions == [("Key: ", True)]


def test_input_that_is_not_allowed_fails_the_cell(cell):
    failure = cell.bad("input()")
    assert failure.ename == "NotImplementedError"
    assert "stdin.py" not in plain(failure)


def test_code_interact_reads_from_the_frontend(cell, capsys):
    cell.frontend.answers.extend(["x = 6 * 7", "print(x)", "raise EOFError"])
    cell.bad("import code\ncode.InteractiveConsole().interact(banner='', exitmsg='')")
    assert "42" in capsys.readouterr().out
    assert len(cell.frontend.questions) == 4


# Completion, inspection and completeness through the engine


def test_completion_inspection_and_completeness_see_the_session(cell):
    cell.good("from __future__ import annotations\ncucumber = {'a': 1}")
    assert cell.engine.complete("cucum", 5).matches == ["cucumber"]
    assert "dict" in cell.engine.inspect("cucumber", 3, 0)["text/plain"]
    assert cell.engine.is_complete("for x in y:") == ("incomplete", "    ")


def test_an_interrupt_ends_a_completion(cell):
    cell.good(
        "import signal\nclass Slow:\n    def __dir__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n        while True: pass\nslow = Slow()"
    )
    found = cell.engine.complete("slow.", 5)
    assert (found.start, found.end) == (5, 5)


def test_history_of_the_session(cell):
    cell.good("1 + 1")
    cell.good("x = 2")
    options = {"session": 0, "start": 0, "stop": None, "n": 5, "pattern": "*", "unique": False}
    cells = cell.engine.history("tail", output=False, **options)
    assert [(line, source) for _, line, source in cells] == [(1, "1 + 1"), (2, "x = 2")]
    both = cell.engine.history("range", output=True, **options)
    assert [entry[2] for entry in both] == [("1 + 1", "2"), ("x = 2", None)]


def test_the_info_names_the_language(cell):
    info = cell.engine.info
    assert (info.name, info.file_extension) == ("python", ".py")
    assert info.version == ".".join(map(str, sys.version_info[:3]))
