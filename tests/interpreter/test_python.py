from __future__ import annotations

import sys
from typing import Any

import pytest

from minikernel.interpreter.magics import NO_MAGICS, NO_PIP, NOT_ALONE


def test_the_value_of_the_last_expression_is_the_result(cell: Any) -> None:
    cell.good("x = 20\nx + 1\nx + 2")
    assert cell.frontend.results == [(1, {"text/plain": "22"}, {})]


@pytest.mark.parametrize("code", ["None", "x = 1", "def f():\n    return 1", "1; x = 2", "# 1"])
def test_no_value_no_result(cell: Any, code: Any) -> None:
    cell.good(code)
    assert cell.frontend.results == []


@pytest.mark.parametrize(
    "code", ["1;", "1 ;  # shown: no", "(1,\n 2);", '"é" * 3;', "f'{1}';\n\n", "1\n2;\n# the end"]
)
def test_a_trailing_semicolon_hides_the_value(cell: Any, code: Any) -> None:
    cell.good(code)
    assert cell.frontend.results == []


@pytest.mark.parametrize("code", ["1  # no;", "';'", "'''\n;'''", "1; 2", "1\n# ;"])
def test_a_semicolon_in_a_comment_or_string_hides_nothing(cell: Any, code: Any) -> None:
    cell.good(code)
    assert len(cell.frontend.results) == 1


def test_underscores_out_and_in_give_back_what_was_shown(cell: Any) -> None:
    cell.good("11")
    cell.good("22")
    cell.good("x = 0")
    cell.good("33;")
    cell.good("44")
    assert cell.value("(_, __, ___)") == (44, 22, 11)
    assert cell.value("Out") == {1: 11, 2: 22, 5: 44}
    assert cell.value("In") == ["", "11", "22", "x = 0", "33;", "44"]


def test_out_keeps_no_more_than_a_thousand_values(cell: Any) -> None:
    for number in range(1, 1011):
        cell.good(f"{number}")
    assert len(cell.value("Out")) == 1000
    assert cell.value("Out[1010]") == 1010


def test_a_gettext_function_in_builtins_is_left_alone(cell: Any) -> None:
    cell.good("import gettext\ngettext.install('x')\n_before = _")
    cell.good("1")
    cell.good("_('text')")  # no earlier value hides it, as with IPython
    assert cell.frontend.texts == ["1", "'text'"]
    assert "_" not in cell.engine._namespace
    cell.good("import builtins\ndel builtins._\n2")
    assert cell.value("_") == 2


def test_a_silent_cell_neither_counts_nor_shows_nor_stores(cell: Any) -> None:
    cell.good("1 + 1", silent=True)
    assert cell.engine.execution_count == 0
    assert cell.frontend.results == []
    assert cell.value("In") == [""]
    assert cell.value("Out") == {}


def test_a_cell_that_is_not_stored_shows_but_does_not_count(cell: Any) -> None:
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
def test_a_blank_cell_does_not_count(cell: Any, code: Any) -> None:
    cell.good(code)
    assert cell.engine.execution_count == 0


def test_a_displayhook_of_the_users_shows_instead(cell: Any) -> None:
    cell.good("import sys\nseen = []\nsys.displayhook = seen.append")
    cell.good("42")
    assert cell.value("seen") == [42]
    assert cell.frontend.results == []
    assert cell.value("_") == 42


def test_calling_the_displayhook_prints(cell: Any, capsys: Any) -> None:
    cell.good("import sys\nsys.displayhook('a')\nsys.displayhook(None)")
    assert capsys.readouterr().out == "'a'\n"


def test_a_value_that_fails_to_be_published_fails_the_cell(cell: Any) -> None:
    def refuse(*_: Any) -> None:
        raise TypeError("not JSON")

    cell.frontend.result = refuse
    assert cell.bad("1").ename == "TypeError"


@pytest.mark.parametrize(
    "code",
    ["%matplotlib inline", "%%bash\necho it's", "!ls", "x = 1\n  !ls", "x = 1\n%time f(", "!a 'b"],
)
def test_magics_and_shell_escapes_name_what_helps(cell: Any, code: Any, plain: Any) -> None:
    failure = cell.bad(code)
    assert (failure.ename, failure.evalue) == ("UsageError", NO_MAGICS)
    assert "subprocess.run()" in plain(failure)
    assert "minikernel[ipython]" not in plain(failure)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("files = !ls", NO_MAGICS),
        ("x = %time f()", NO_MAGICS),
        ("x = 1\na, b = !ls *.py", NO_MAGICS),
        ("d['k'] = %who", NO_MAGICS),
        ("matplotlib inline", NO_MAGICS),
        ("load_ext autoreload", NO_MAGICS),
        ("timeit sum(range(9))", NO_MAGICS),
        ("cd ~", NO_MAGICS),
        ("pip install x", NO_PIP),
        ("!pip install x", NO_PIP),
        ("%pip install x", NO_PIP),
        ("!{sys.executable} -m pip install x", NO_MAGICS),
        ("python -m pip install x", NO_PIP),
        ("x = 1\npip install -U x y", NO_PIP),
        ("conda install x", NO_PIP),
        ("x = 1\nstr?", NOT_ALONE),
        ("?*load*", NOT_ALONE),
    ],
)
def test_what_is_meant_for_ipython_gets_a_word(cell: Any, code: Any, word: Any) -> None:
    failure = cell.bad(code)
    assert (failure.ename, failure.evalue) == ("UsageError", word)


@pytest.mark.parametrize(
    "code",
    [
        *("x = = 1", "x = 7 % ", "time = ", "run = 3 4", "install x", "time(1 2)", "$x"),
        *("if x ! y: pass", "x = 'a' 'b", "run.x y", "ls = 3 +", "print 1", "f(x = %s"),
    ],
)
def test_other_mistakes_are_syntax_errors(cell: Any, code: Any) -> None:
    assert cell.bad(code).ename in {"SyntaxError", "IndentationError"}


@pytest.mark.parametrize("code", ["?", " ?? ", "?\n"])
def test_a_question_mark_alone_says_what_there_is(cell: Any, code: Any) -> None:
    (payload,) = cell.good(code).payload
    assert "name??" in payload["data"]["text/plain"]


def test_a_question_about_an_item(cell: Any) -> None:
    cell.good("d = {'text': [str]}")
    (payload,) = cell.good("d['text'][0]?").payload
    assert "Create a new string object" in payload["data"]["text/plain"]


def test_a_percent_that_continues_an_expression_is_no_magic(cell: Any) -> None:
    cell.good("x = (7\n% 4)")
    assert cell.value("x") == 3
    assert cell.bad("x = (7\n% 4").ename == "SyntaxError"


@pytest.mark.parametrize("code", ["str?", "?str", " str ?", "?? str", "str??"])
def test_a_question_mark_asks_for_a_page(cell: Any, code: Any) -> None:
    (payload,) = cell.good(code).payload
    assert payload["source"] == "page"
    assert payload["start"] == 0
    assert "Create a new string object" in payload["data"]["text/plain"]


def test_two_question_marks_show_the_source(cell: Any) -> None:
    cell.good("def f():\n    '''Does it.'''\n    return 12345")
    one, two = (cell.good(code).payload[0]["data"]["text/plain"] for code in ("f?", "f??"))
    assert "Does it." in one
    assert "12345" not in one
    assert "return 12345" in two


def test_a_question_about_nothing_is_answered(cell: Any) -> None:
    (payload,) = cell.good("nowhere?").payload
    assert payload["data"]["text/plain"] == "Object `nowhere` not found."


def test_help_is_printed(cell: Any, capsys: Any) -> None:
    assert cell.good("help(len)").payload == []
    text = capsys.readouterr().out
    assert "Return the number of items" in text
    assert "\b" not in text


def test_help_without_an_object_is_one_line(cell: Any, capsys: Any) -> None:
    assert cell.good("help()").payload == []
    assert capsys.readouterr().out.startswith("help(x) describes x")


@pytest.mark.parametrize(
    "code", ["exit", "quit", "exit()", "quit()", "exit(3)", "for _ in range(9):\n    exit()"]
)
def test_exit_asks_and_is_no_error(cell: Any, code: Any) -> None:
    assert cell.good(code).payload == [{"source": "ask_exit", "keepkernel": False}]
    assert cell.frontend.results == []


def test_exit_in_a_silent_cell_asks_too(cell: Any) -> None:
    assert cell.good("exit", silent=True).payload


def test_exit_can_keep_the_kernel(cell: Any) -> None:
    (payload,) = cell.good("exit(keep_kernel=True)").payload
    assert payload["keepkernel"] is True


def test_exit_ends_the_cell(cell: Any) -> None:
    cell.good("x = 1\nexit()\nx = 2")
    assert cell.value("x") == 1


def test_showing_exit_in_a_list_does_not_leave(cell: Any) -> None:
    assert cell.good("[exit]").payload == []


def test_sys_exit_is_an_error_without_a_payload(cell: Any) -> None:
    outcome = cell("import sys\nsys.exit()")
    assert outcome.failure.ename == "SystemExit"
    assert outcome.payload == []


def test_a_payload_belongs_to_its_cell_only(cell: Any) -> None:
    cell.good("help(len)")
    assert cell.good("1").payload == []


def test_user_expressions_are_formatted_or_fail_one_by_one(cell: Any) -> None:
    outcome = cell.good("x = 3", user_expressions={"a": "x + 1", "b": "1/0", "c": "x ="})
    found = outcome.user_expressions
    assert found["a"] == {"status": "ok", "data": {"text/plain": "4"}, "metadata": {}}
    assert (found["b"]["status"], found["b"]["ename"]) == ("error", "ZeroDivisionError")
    assert found["b"]["evalue"] == "division by zero"
    assert found["b"]["traceback"]
    assert found["c"]["ename"] == "SyntaxError"


def test_user_expressions_of_a_silent_blank_cell_are_evaluated(cell: Any) -> None:
    outcome = cell.good("", silent=True, user_expressions={"a": "1"})
    assert outcome.user_expressions["a"]["status"] == "ok"


def test_a_failing_cell_evaluates_no_user_expressions(cell: Any) -> None:
    assert cell("1/0", user_expressions={"a": "1"}).user_expressions == {}


def test_a_user_expression_that_exits_is_an_error(cell: Any) -> None:
    outcome = cell.good("", user_expressions={"a": "exit()"})
    assert outcome.user_expressions["a"]["status"] == "error"


def test_completion_inspection_and_completeness_see_the_session(cell: Any) -> None:
    cell.good("from __future__ import annotations\ncucumber = {'a': 1}")
    assert cell.engine.complete("cucum", 5).matches == ["cucumber"]
    assert "dict" in cell.engine.inspect("cucumber", 3, 0)["text/plain"]
    assert cell.engine.is_complete("for x in y:") == ("incomplete", "    ")


def test_an_interrupt_ends_a_completion(cell: Any) -> None:
    cell.good(
        "import signal\nclass Slow:\n    def __dir__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n        while True: pass\nslow = Slow()"
    )
    found = cell.engine.complete("slow.", 5)
    assert (found.start, found.end) == (5, 5)


def test_history_of_the_session(cell: Any) -> None:
    cell.good("1 + 1")
    cell.good("x = 2")
    options = {"session": 0, "start": 0, "stop": None, "n": 5, "pattern": "*", "unique": False}
    cells = cell.engine.history("tail", output=False, **options)
    assert [(line, source) for _, line, source in cells] == [(1, "1 + 1"), (2, "x = 2")]
    both = cell.engine.history("range", output=True, **options)
    assert [entry[2] for entry in both] == [("1 + 1", "2"), ("x = 2", None)]


def test_the_info_names_the_language(cell: Any) -> None:
    info = cell.engine.info
    assert (info.name, info.file_extension) == ("python", ".py")
    assert info.version == ".".join(map(str, sys.version_info[:3]))
