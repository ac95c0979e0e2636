"""`minikernel demo`, end to end, and what it says when a guard is off."""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

import minikernel
from minikernel.cli.demo import ATTACKS, CELLS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 90  # seconds
COMMAND = f"{sys.executable} -m minikernel demo"
MESSAGE = re.compile(
    r"  (shell|iopub|stdin) +(sent|received|stranger) +\w+ +\d+  (ok|refused: [a-z ]+)"
)


def test_all_happens_as_it_should(
    call: Callable[..., Any], left_behind: Callable[[], list[Path]]
) -> None:
    done = call("demo")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.out
    shown = [m.groups() for m in map(MESSAGE.fullmatch, lines) if m]
    assert [where[2] for where in shown if where[1] == "stranger"] == [
        f"refused: {attack.reason}" for attack in ATTACKS
    ]
    assert {where[2] for where in shown if where[1] != "stranger"} == {"ok"}
    assert {("stdin", "sent", "ok"), ("stdin", "received", "ok")} <= set(shown)
    assert all(f"  ✓ {cell.title}: {cell.expected}" in lines for cell in CELLS)
    assert re.search(r"^  shell +\d+ +\d+ +3  bad signature 2, replayed 1$", done.out, re.MULTILINE)
    assert "ran == ['ours']" in done.out
    assert "✗" not in done.out
    assert left_behind() == []


def on_terminal(environment: dict[str, str], **variables: str) -> bytes:
    """What it says there; pexpect would cut off without a word what takes too long."""
    env = {**environment, "TERM": "xterm", **variables}
    said, code = pexpect.run(COMMAND, env=env, timeout=TIMEOUT, withexitstatus=True)
    assert code == 0, said.decode()
    return bytes(said)


def test_a_terminal_gets_colours(environment: dict[str, str]) -> None:
    said = on_terminal(environment)
    assert b"\x1b[32mok" in said
    assert b"\x1b[31mrefused: replayed" in said


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_unless_it_does_not_want_them(
    environment: dict[str, str], variable: dict[str, str]
) -> None:
    assert b"\x1b" not in on_terminal(environment, **variable)


def test_a_terminal_without_ticks(call: Callable[..., Any]) -> None:
    done = call("demo", env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err) == (0, "")
    assert "  ? a value: 42" in done.out


def test_a_replay_that_is_not_refused_fails_the_demo(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minikernel.cli.demo.PATIENCE", 0.5)  # for what will not come
    options = ["--history", "off", "--guards", "off"]
    with minikernel.launch(extra_arguments=options) as client:
        stage = Stage(client)
        stage.play()
        assert stage.close() == 1
    said = capfd.readouterr().out
    assert "shell    stranger  execute_request" in said
    assert "  not refused" in said
    assert "  ✗ only our own request, and that once: ran == ['ours', 'ours']" in said
    assert "3 things did not happen as they should" in said


@pytest.mark.parametrize("on_path", [True, False])
def test_it_ends_with_a_command_that_works_as_it_stands(
    call: Callable[..., Any], tmp_path: Path, on_path: bool
) -> None:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin" if on_path else "/usr/bin:/bin"
    command = call("demo", env={"PATH": path}).out.splitlines()[-1]
    assert command.startswith("  minikernel ") == on_path
    shown = subprocess.run(
        f"{command} --help",
        shell=True,
        cwd=tmp_path,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "interactive prompt" in shown.stdout


def test_each_name_in_a_cell_was_given_its_value_on_the_screen() -> None:
    known = set(dir(builtins)) | {"display"}
    for cell in CELLS:
        tree = ast.parse(cell.code)
        names = {node.id: type(node.ctx) for node in ast.walk(tree) if isinstance(node, ast.Name)}
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        known |= imported | {name for name, context in names.items() if context is ast.Store}
        assert set(names) <= known, cell.title
