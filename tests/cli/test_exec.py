from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
import pexpect
import pytest

from minikernel.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Call = Callable[..., Any]
    Left = Callable[[], list[Path]]

TIMEOUT = 30  # seconds for any one step
SLEEP = "import time\nwith open('asleep', 'w'): time.sleep(600)"


class Said(NamedTuple):
    code: int
    out: str
    err: str


def script(directory: Path, source: str) -> str:
    (directory / "x.py").write_text(source)
    return "x.py"


def notebook(directory: Path, *cells: str, **metadata: Any) -> str:
    new = nbformat.v4.new_code_cell
    book = nbformat.v4.new_notebook(cells=[new(cell) for cell in cells], metadata=metadata)
    book.cells.append(nbformat.v4.new_markdown_cell("# text"))
    nbformat.write(book, directory / "x.ipynb")
    return "x.ipynb"


def read(directory: Path, name: str = "x.ipynb") -> Any:
    book = nbformat.read(directory / name, as_version=4)
    nbformat.validate(book)
    return book


def outputs(book: Any) -> list[list[Any]]:
    return [cell.outputs for cell in book.cells if cell.cell_type == "code"]


@pytest.fixture
def inside(
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Call:
    """The same as `call`, in this process: where jsonschema has all its extras, nbformat takes a
    second to import."""

    def run(*arguments: str, typed: str = "") -> Any:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("JUPYTER_DATA_DIR", environment["JUPYTER_DATA_DIR"])
        monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(arguments)
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture
def refused(inside: Call) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        said = inside(*arguments)
        assert (said.code, said.out) == (2, "")
        assert said.err.count("\n") == 1
        return str(said.err.strip())

    return run


# scripts


def test_a_script_finds_what_python_would_give_it(
    call: Call, tmp_path: Path, left_behind: Left
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "neighbour.py").write_text("ANSWER = 42\n")
    (tmp_path / "sub" / "x.py").write_text(
        "import os, sys, neighbour\n"
        "print(sys.argv, __name__, os.getcwd(), __file__, neighbour.ANSWER)\n"
        "print('problem', file=sys.stderr)\n"
        "display('shown')\n"
        "'a value that nobody asked for'\n"
    )
    said = call("exec", "sub/x.py", "-a", "--b=c", "d e")
    argv = ["sub/x.py", "-a", "--b=c", "d e"]
    assert said.out == f"{argv} __main__ {tmp_path} {tmp_path}/sub/x.py 42\n'shown'\n"
    assert (said.code, said.err) == (0, "problem\n")
    assert left_behind() == []


def test_a_script_reads_standard_input_to_its_end(call: Call, tmp_path: Path) -> None:
    source = "import sys\nprint(input('Name? '))\nprint(repr(sys.stdin.read()))\ninput()\n"
    said = call("exec", script(tmp_path, source), typed="Ada\n1\n2\n")
    assert said.out == "Name? Ada\n'1\\n2\\n'\n"
    assert said.code == 1
    assert said.err.splitlines()[-1] == "EOFError: EOF when reading a line"


def test_a_traceback_names_the_script_by_its_whole_path(call: Call, tmp_path: Path) -> None:
    said = call("exec", script(tmp_path, "def f():\n    1 / 0\nprint('before')\nf()\n"))
    assert (said.code, said.out) == (1, "before\n")
    lines = said.err.splitlines()
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{tmp_path}/x.py", line 4, in <module>',
        f'  File "{tmp_path}/x.py", line 2, in f',
    ]
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "\x1b" not in said.err


def test_a_script_that_is_no_python(call: Call, tmp_path: Path) -> None:
    said = call("exec", script(tmp_path, "x = = 1\n"))
    assert said.code == 1
    assert f'File "{tmp_path}/x.py", line 1' in said.err
    assert said.err.splitlines()[-1] == "SyntaxError: invalid syntax"


@pytest.mark.parametrize(
    ("end", "code", "last_words"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit(-1)", 255, ""),
        ("exit(3)", 3, ""),
        ("quit('bye')", 1, "bye\n"),
    ],
)
def test_the_exit_code_of_a_script(
    call: Call, tmp_path: Path, end: str, code: int, last_words: str
) -> None:
    assert call("exec", script(tmp_path, f"import sys\n{end}\n")) == (code, "", last_words)


def test_a_script_that_ends_its_process(call: Call, tmp_path: Path, left_behind: Left) -> None:
    assert call("exec", script(tmp_path, "import os\nos._exit(3)\n")) == (3, "", "")
    assert left_behind() == []


def test_a_script_in_another_encoding(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes("# coding: latin-1\nprint('é')\n".encode("latin-1"))
    assert call("exec", "x.py").out == "é\n"


@pytest.mark.parametrize(
    ("number", "code", "last_words"), [(signal.SIGINT, 130, "caught\n"), (signal.SIGTERM, 143, "")]
)
def test_a_signal_ends_a_script(  # noqa: PLR0917 - fixtures
    tmp_path: Path,
    environment: dict[str, str],
    left_behind: Left,
    number: signal.Signals,
    code: int,
    last_words: str,
) -> None:
    name = script(
        tmp_path,
        "import os, time\n"
        "try:\n    print(os.getpid(), flush=True)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print('caught'); raise\n",
    )
    command = [sys.executable, "-m", "minikernel", "exec", name]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        kernel = int(process.stdout.readline())
        process.send_signal(number)
        assert process.stdout.read() == last_words
        assert process.wait(TIMEOUT) == code
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert left_behind() == []


def test_on_a_terminal_a_script_may_colour_its_text_and_no_more(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    source = r"print('\x1b]0;title\x07' '\x1b[31mred\x1b[0m', '10%\r20%'); getattr(0, input('? '))"
    child = pexpect.spawn(
        sys.executable,
        ["-m", "minikernel", "exec", script(tmp_path, source)],
        cwd=tmp_path,
        env={**environment, "TERM": "xterm"},
        timeout=TIMEOUT,
        encoding="utf-8",
    )
    child.expect_exact("\\x1b]0;title\\x07\x1b[31mred\x1b[0m 10%\r20%")
    child.expect_exact("? ")
    child.sendline("name")
    child.expect_exact("AttributeError")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


# notebooks


def test_a_notebook_is_executed_and_written_back(
    call: Call, tmp_path: Path, left_behind: Left
) -> None:
    kept = {"kernelspec": {"name": "x", "display_name": "X", "language": "python"}, "own": [1]}
    name = notebook(
        tmp_path,
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out')\n6 * 7",
        "h = display({'text/plain': 'first'}, raw=True, display_id='d')",
        "h.update({'text/plain': 'second', 'text/html': '<b>'}, raw=True)",
        "  \n",
        "print('dropped')\nclear_output()\nprint('kept')",
        "import os\nprint(os.getcwd())",
        **kept,
    )
    (tmp_path / name).chmod(0o640)
    said = call("exec", name)
    assert (said.code, said.out) == (0, "")
    book = read(tmp_path)
    assert book.metadata.pop("language_info").name == "python"
    assert book.metadata == kept
    first, shown, update, blank, cleared, directory = outputs(book)
    assert [(o.get("name"), o.get("text")) for o in first[:-1]] == [
        ("stdout", "out\n"),
        ("stderr", "err\n"),
        ("stdout", "out\n"),
    ]
    assert (first[-1].output_type, first[-1].execution_count) == ("execute_result", 1)
    assert shown[0].data == {"text/plain": "second", "text/html": "<b>"}
    assert update == blank == []
    assert [o.text for o in (*cleared, *directory)] == ["kept\n", f"{tmp_path}\n"]
    assert [cell.get("execution_count") for cell in book.cells] == [1, 2, 3, None, 4, 5, None]
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {name, "data"}
    assert left_behind() == []

    lines = said.err.splitlines()
    assert lines[0] == "cell 1 of 5 ...  import sys"
    assert len(lines) == 6
    assert lines[-1].startswith("5 of 5 cells run in ")
    assert lines[-1].endswith(f"written to {name}")


def test_it_runs_in_its_own_directory_and_is_written_elsewhere(
    inside: Call, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    before = (tmp_path / "sub" / notebook(tmp_path / "sub", "import os; os.getcwd()")).read_bytes()
    said = inside("exec", "sub/x.ipynb", "--output", "y.ipynb")
    assert said.code == 0
    assert (tmp_path / "sub" / "x.ipynb").read_bytes() == before
    [[value]] = outputs(read(tmp_path, "y.ipynb"))
    assert value.data["text/plain"] == repr(str(tmp_path / "sub"))


def test_a_cell_that_fails_is_the_last(inside: Call, tmp_path: Path) -> None:
    name = notebook(tmp_path, "print(1)", "1 / 0", "print(3)")
    said = inside("exec", name)
    assert said.code == 1
    assert "ZeroDivisionError: division by zero" in said.err
    assert "\x1b" not in said.err
    one, failed, rest = outputs(read(tmp_path))
    assert one[0].text == "1\n"
    assert failed[0].ename == "ZeroDivisionError"
    assert rest == []


@pytest.mark.parametrize("before", [True, False])
def test_errors_that_are_allowed(inside: Call, tmp_path: Path, before: bool) -> None:
    name = notebook(tmp_path, "1 / 0", "print(input('? '))")
    arguments = ["--allow-errors", name] if before else [name, "--allow-errors"]
    said = inside("exec", *arguments, typed="Ada\n")
    assert (said.code, said.out) == (0, "? ")
    failed, rest = outputs(read(tmp_path))
    assert failed[0].ename == "ZeroDivisionError"
    assert rest[0].text == "Ada\n"


def test_tags_say_which_cells_may_fail_and_which_do_not_run(inside: Call, tmp_path: Path) -> None:
    name = notebook(tmp_path, "1 / 0", "print(2)", "print(3)")
    book = read(tmp_path)
    book.cells[0].metadata["tags"] = ["raises-exception"]
    book.cells[1].metadata["tags"] = ["skip-execution"]
    nbformat.write(book, tmp_path / name)
    assert inside("exec", name).code == 0
    failed, skipped, rest = outputs(read(tmp_path))
    assert (failed[0].ename, skipped, rest[0].text) == ("ZeroDivisionError", [], "3\n")


def test_an_old_notebook_is_written_in_the_present_format(inside: Call, tmp_path: Path) -> None:
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell("6 * 7")])]
    )
    (tmp_path / "x.ipynb").write_text(nbformat.v3.writes_json(old))
    assert inside("exec", "x.ipynb").code == 0
    assert outputs(read(tmp_path))[0][0].data["text/plain"] == "42"


def test_a_link_stays_a_link(inside: Call, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    notebook(tmp_path / "sub", "6 * 7")
    (tmp_path / "x.ipynb").symlink_to("sub/x.ipynb")
    assert inside("exec", "x.ipynb").code == 0
    assert (tmp_path / "x.ipynb").is_symlink()
    assert outputs(read(tmp_path))[0][0].data["text/plain"] == "42"


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[pexpect.spawn[str]]:
    name = notebook(tmp_path, "1", SLEEP, "3")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "minikernel", "exec", name],
        cwd=tmp_path,
        env={**environment, "TERM": "xterm"},
        timeout=TIMEOUT,
        encoding="utf-8",
    )
    yield child
    child.close(force=True)


def test_ctrl_c_writes_what_there_is(
    terminal: pexpect.spawn[str], tmp_path: Path, left_behind: Left
) -> None:
    terminal.expect_exact("\r\x1b[Kcell 1 of 3 ...")
    terminal.expect_exact("\r\x1b[Kcell 2 of 3 ...")
    deadline = time.monotonic() + TIMEOUT
    while not (tmp_path / "asleep").exists() and time.monotonic() < deadline:
        os.sched_yield()
    terminal.sendintr()
    terminal.expect_exact("KeyboardInterrupt")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    first, second, third = outputs(read(tmp_path))
    assert first[0].data["text/plain"] == "1"
    assert second[-1].ename == "KeyboardInterrupt"
    assert third == []
    assert left_behind() == []


# files that can't be used


@pytest.mark.parametrize("name", ["none.py", "none.ipynb"])
def test_a_missing_file(refused: Callable[..., str], name: str) -> None:
    assert refused("exec", name) == f"minikernel: '{name}': No such file or directory"


@pytest.mark.parametrize("name", ["x.py", "x.ipynb", "x"])
def test_a_directory(refused: Callable[..., str], tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert refused("exec", name).replace(": I", " i") == f"minikernel: '{name}' is a directory"


def test_another_suffix(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    assert "FILE.ipynb" in refused("exec", "x.txt")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"print('\xe9')", b"# coding: nonsense\n"])
def test_a_script_that_is_no_text(
    refused: Callable[..., str], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.py").write_bytes(content)
    assert refused("exec", "x.py").startswith("minikernel: 'x.py' is not text: ")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"",
        b"not JSON",
        b"[]",
        b"3",
        b"{}",
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": {}}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}',
        b'{"nbformat": 99, "nbformat_minor": 5, "metadata": {}, "cells": []}',
    ],
)
def test_a_notebook_that_is_none(
    refused: Callable[..., str], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.ipynb").write_bytes(content)
    assert refused("exec", "x.ipynb").startswith("minikernel: 'x.ipynb' is not a ")
    assert (tmp_path / "x.ipynb").read_bytes() == content


def test_a_notebook_of_another_language(refused: Callable[..., str], tmp_path: Path) -> None:
    spec = {"name": "ir", "display_name": "R", "language": "R"}
    assert "written in R" in refused("exec", notebook(tmp_path, "1", kernelspec=spec))


@pytest.mark.parametrize("output", ["none/y.ipynb", "data"])
def test_an_output_that_can_not_be_written(
    refused: Callable[..., str], tmp_path: Path, output: str
) -> None:
    (tmp_path / "data").mkdir()
    name = notebook(tmp_path, "1")
    assert output in refused("exec", name, "--output", output)


def test_options_that_are_for_notebooks(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "for notebooks" in refused("exec", "--allow-errors", script(tmp_path, ""))


def test_arguments_that_are_for_scripts(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no arguments" in refused("exec", notebook(tmp_path, "1"), "argument")


def test_without_nbformat(call: Call, tmp_path: Path) -> None:
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "nbformat.py").write_text(
        "raise ModuleNotFoundError(name='nbformat')\n"
    )
    said = call("exec", notebook(tmp_path, "1"), env={"PYTHONPATH": str(tmp_path / "blocked")})
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "pip install 'minikernel[notebook]'" in said.err
