"""The console in a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from prompt_toolkit.document import Document

import minikernel
from minikernel.cli.app import main
from minikernel.cli.printer import Printer
from minikernel.cli.prompt import KernelCompleter, verdicts
from minikernel.client.ledger import Ledger, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import KernelProcess

TIMEOUT = 20  # seconds for any one answer
OUTPUT = "\x1b[?2004l"  # the end of a prompt: bracketed paste is switched off
CPR = "\x1b[6n"  # asks a terminal where its cursor is


class Terminal:
    """A console, and what a user does with it."""

    def __init__(self, directory: Path, environment: dict[str, str], *options: str) -> None:
        self.child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-m", "minikernel", "console", *options],
            cwd=directory,
            env={"PROMPT_TOOLKIT_NO_CPR": "1", **environment, "TERM": "xterm"},
            timeout=TIMEOUT,
            encoding="utf-8",
            dimensions=(24, 120),
        )
        self.see = self.child.expect_exact
        self.type = self.child.send

    def run(self, code: str, *seen: str, number: int) -> None:
        """Type a line at prompt `number`, see what is expected, and the next prompt."""
        self.see(f"In [{number}]: ")
        self.type(f"{code}\r")
        for text in seen:
            self.see(text)

    def completes(self, rest: str) -> None:
        """Press Tab until it answers: importing jedi may take longer than the prompt waits."""
        for _ in range(TIMEOUT // 2):
            self.type("\t")
            if self.child.expect_exact([rest, pexpect.TIMEOUT], timeout=2) == 0:
                return
        pytest.fail("no completion")

    def ended(self) -> bool:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus == 0


@pytest.fixture
def console(
    tmp_path: Path, environment: dict[str, str], left_behind: Callable[[], list[Path]]
) -> Iterator[Callable[..., Terminal]]:
    with contextlib.ExitStack() as stack:

        def start(*options: str, **env: str) -> Terminal:
            terminal = Terminal(tmp_path, {**environment, **env}, *options)
            stack.callback(terminal.child.close, force=True)
            return terminal

        yield start
    assert left_behind() == []


def test_cells(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.see("on minikernel")
    terminal.run("6 * 7", "Out[1]: ", "42\r\n", number=1)
    terminal.run("print('x', end='')", OUTPUT + "x\r\n", number=2)
    terminal.run("1 / 0", "\x1b[1;31mZeroDivisionError\x1b[0m: division by zero", number=3)
    terminal.run("len?", "Return the number of items in a container", number=4)
    terminal.run("['a' * 70, 'b' * 70]", "Out[5]: \x1b[0m\r\n['aaa", number=5)
    terminal.run("display({'text/plain': 'shown'}, raw=True)", OUTPUT + "shown\r\n", number=6)
    terminal.see("In [7]: ")
    terminal.type("zi")
    terminal.completes("p")
    terminal.type("\r")
    terminal.see(OUTPUT + "\x1b[31mOut[7]: \x1b[0m<class 'zip'>")
    terminal.run("exit", number=8)
    assert terminal.ended()


def test_several_lines(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.run("for i in range(2):", "   ...:", number=1)
    terminal.type("print('line', i)\r")
    terminal.see("   ...:")
    terminal.type("\r")
    terminal.see(OUTPUT + "line 0\r\nline 1\r\n")
    terminal.run("(1 +\x1b\r", "SyntaxError", number=2)  # Esc Enter: run it in any case
    terminal.see("In [3]: ")
    terminal.type("\x04")
    assert terminal.ended()


def test_input(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.run("print('hello', input('Name? '))", "\x1b[0mName?", number=1)
    terminal.type("Ada\r")
    terminal.see(OUTPUT + "hello Ada\r\n")
    terminal.run("from getpass import getpass; print(getpass()[::-1])", "Password:", number=2)
    terminal.type("secret\r")
    terminal.see(OUTPUT + "terces\r\n")
    assert "secret" not in terminal.child.before
    terminal.run("input('more? ')", "\x1b[0mmore?", number=3)
    terminal.type("\x04")
    terminal.see("EOFError")
    terminal.run("input('more? ')", "\x1b[0mmore?", number=4)
    terminal.type("\x03")
    terminal.see("KeyboardInterrupt")
    terminal.run("quit()", number=5)
    assert terminal.ended()


def test_ctrl_c(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.see("In [1]: ")
    terminal.type("dropped")
    terminal.see("dropped")
    terminal.type("\x03")
    terminal.run("print('asl' 'eep', flush=True); import time; time.sleep(600)", number=1)
    terminal.see(OUTPUT + "asleep")
    terminal.type("\x03")
    terminal.see("KeyboardInterrupt")
    terminal.run("print('a' 'live')", OUTPUT + "alive\r\n", number=2)
    terminal.run("exit", number=3)
    assert terminal.ended()


def test_a_kernel_that_dies_is_started_anew(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.run("import os; os._exit(1)", "the kernel has died; a new one starts", number=1)
    terminal.run("6 * 7", "42\r\n", number=1)
    terminal.run("exit", number=2)
    assert terminal.ended()


def test_hostile_output_does_not_drive_the_terminal(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.run(
        r"s = '\x1b]0;title' + '\x07\x1b[31mred\x1b[0m\x1b[2J'; print(s); input(s)",
        OUTPUT + "\\x1b]0;title\\x07\x1b[31mred\x1b[0m\\x1b[2J",
        "\\x1b]0;title\\x07red\\x1b[2J",
        number=1,
    )
    terminal.type("\r")
    terminal.run(r"class X: __repr__ = lambda _: '\x1b' '[2K'", number=2)
    terminal.run("\x1b\rX()", r"\x1b[2K", number=2)
    terminal.run("exit", number=4)
    assert terminal.ended()


def test_the_bottom_line_counts_verdicts(console: Callable[..., Terminal]) -> None:
    terminal = console(PROMPT_TOOLKIT_NO_CPR="")
    terminal.see(CPR)
    terminal.type("\x1b[3;1R")
    terminal.child.expect(r"shell \d+ ok · control \d+ ok · stdin 0 · iopub \d+ ok · rejected 0 ")
    terminal.type("\x04")
    assert terminal.ended()


@pytest.fixture
def existing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[minikernel.MiniKernelClient]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    with minikernel.launch(
        extra_arguments=["--history", str(tmp_path / "history.sqlite")],
    ) as client:
        yield client


def test_an_existing_kernel_is_left_running(
    console: Callable[..., Terminal], existing: minikernel.MiniKernelClient
) -> None:
    existing.run("x = 'from another client'")
    terminal = console("--existing", existing.connection_file)
    terminal.run("x", "'from another client'", number=2)
    terminal.run("print('asl' 'eep', flush=True); import time; time.sleep(600)", number=3)
    terminal.see(OUTPUT + "asleep")
    terminal.type("\x03")
    terminal.see("KeyboardInterrupt")
    terminal.run("input('more? ')", "\x1b[0mmore?", number=4)
    terminal.type("\x03")
    terminal.see("KeyboardInterrupt")
    terminal.see("In [5]: ")
    terminal.type("\x1b[A")  # up: the kernel's history
    terminal.see("input('more? ')")
    terminal.type("\x1b[A" * 3)
    terminal.see("x = 'from another client'")
    terminal.type("\x03")
    terminal.run("exit", number=5)
    assert terminal.ended()
    assert existing.is_alive()
    assert existing.run("6 * 7").value == "42"


@pytest.fixture
def guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[minikernel.MiniKernelClient]:
    """The owner's client on a kernel that knows invitations."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    with minikernel.launch(
        scheme="channel-hmac-sha256", extra_arguments=["--history", "off"]
    ) as client:
        yield client


@pytest.fixture
def invite(tmp_path: Path, guarded: minikernel.MiniKernelClient) -> Callable[[str], str]:
    """Writes an invitation to that kernel; its path."""

    def invite(rights: str) -> str:
        path = str(tmp_path / "alice.json")
        to = ["--connection-file", guarded.connection_file, "--output", path]
        assert main(["invite", "--name", "alice", "--rights", rights, *to]) == 0
        return path

    return invite


SLEEPING = "print('asl' 'eep', flush=True); import time; time.sleep(600)"


def test_ctrl_c_where_a_handshake_comes_first(
    console: Callable[..., Terminal], invite: Callable[[str], str]
) -> None:
    terminal = console("--existing", invite("observe,execute,interrupt"))
    for number in range(1, 6):  # more often than there are places for an invitation
        terminal.run(SLEEPING, OUTPUT + "asleep", number=number)
        terminal.type("\x03")
        terminal.see("KeyboardInterrupt")
    terminal.run("exit", number=6)
    assert terminal.ended()


def test_an_invitation_without_most_rights(
    console: Callable[..., Terminal],
    invite: Callable[[str], str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    terminal = console("--existing", invite("observe"))
    terminal.run("x = 1", OUTPUT + "PermissionError: this client has not the right", number=1)
    terminal.see("In [1]: ")
    terminal.type("pri\t")
    terminal.type("\r")
    terminal.see(OUTPUT + "PermissionError: this client has not the right")
    terminal.see("In [1]: ")
    terminal.type("\x04")
    assert terminal.ended()
    assert guarded.run("'x' in globals()").value == "False"


def test_an_invitation_that_may_not_interrupt(
    console: Callable[..., Terminal],
    invite: Callable[[str], str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    terminal = console("--existing", invite("observe,execute"))
    terminal.run(SLEEPING, OUTPUT + "asleep", number=1)
    terminal.type("\x03")
    terminal.see("no interrupt: this client has not the right")
    terminal.type("\x03")
    terminal.see("no longer waiting for this cell")
    guarded.interrupt()
    terminal.see("In [1]: ")
    terminal.type("\x04")
    assert terminal.ended()


def test_an_invitation_that_does_not_observe(
    console: Callable[..., Terminal], invite: Callable[[str], str]
) -> None:
    terminal = console("--existing", invite("execute"))
    terminal.see("this invitation is not for outputs: you see whether a cell failed")
    terminal.run("1 / 0", "ZeroDivisionError\x1b[0m: division by zero", number=1)
    terminal.run("exit", number=2)
    assert terminal.ended()


def test_no_place_for_one_more(
    console: Callable[..., Terminal], invite: Callable[[str], str]
) -> None:
    path = invite("observe")
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(minikernel.connect(path, timeout=TIMEOUT))
        terminal = console("--existing", path)
        terminal.see("minikernel: too many clients; try again later\r\n")
        assert not terminal.ended()


def test_a_restart_of_an_existing_kernel_is_told(
    console: Callable[..., Terminal], start_kernel: Callable[..., KernelProcess]
) -> None:
    kernel = start_kernel(signature_scheme="channel-hmac-sha256")
    terminal = console("--existing", str(kernel.file))
    terminal.run(SLEEPING, OUTPUT + "asleep", number=1)
    kernel.kill()
    kernel.start()
    terminal.see("this execute_request will not come: nobody knows whether it ran")
    terminal.run("6 * 7", "42\r\n", number=1)
    terminal.run("exit", number=2)
    assert terminal.ended()


def test_what_the_kernel_rejects_is_counted_too() -> None:
    ours = Ledger(
        (
            Row(channel="shell", sent=3, verified=3),
            Row(channel="stdin"),
            Row(channel="iopub", verified=12, rejected={"bad signature": 2}),
            Row(channel="heartbeat", beats=5),
        )
    )
    assert verdicts(ours, None) == (
        " shell 3 ok · stdin 0 · iopub 12 ok · rejected 2: bad signature 2"
    )
    assert verdicts(ours, 4).endswith(" · by the kernel 4")


def test_completions_are_escaped() -> None:
    said = {"matches": ["print", "\x1b[2J"], "cursor_start": 3, "cursor_end": 5}
    asked: list[tuple[str, int]] = []

    def complete(code: str, cursor: int) -> dict[str, Any]:
        asked.append((code, cursor))
        return said

    found = list(KernelCompleter(complete).get_completions(Document("x; pr"), None))  # type: ignore[arg-type]
    assert [(c.text, c.start_position) for c in found] == [("print", -2), (r"\x1b[2J", -2)]
    assert asked == [("x; pr", 5)]


@pytest.mark.parametrize(
    "content",
    [{}, {"data": 3}, {"text": 3, "name": 4}, {"traceback": [1]}, {"execution_count": "\x1b[2J"}],
)
def test_odd_messages_are_printed_all_the_same(
    content: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    printer = Printer()
    for kind in ("stream", "execute_result", "display_data", "error", "status", "unknown"):
        printer({"msg_type": kind, "content": content})
    assert "\x1b" not in re.sub(r"\\x1b", "", capsys.readouterr().out)


# what can't be used


def test_without_a_terminal(refused: Callable[..., str]) -> None:
    assert "needs a terminal" in refused("console")


def in_a_terminal(directory: Path, environment: dict[str, str], *options: str) -> tuple[str, int]:
    terminal = Terminal(directory, environment, *options)
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    return str(terminal.child.before), int(terminal.child.exitstatus or 0)


def test_without_prompt_toolkit(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "prompt_toolkit.py").write_text("raise ModuleNotFoundError(name='prompt_toolkit')")
    said, code = in_a_terminal(tmp_path, {**environment, "PYTHONPATH": str(tmp_path)})
    assert (code, said.count("\n")) == (2, 1)
    assert "pip install 'minikernel[console]'" in said


@pytest.mark.parametrize(
    "options", [("--existing", "none.json"), ("--scheme", "nonsense"), ("--exisitng", "x")]
)
def test_an_option_that_is_refused(
    tmp_path: Path, environment: dict[str, str], options: tuple[str, ...]
) -> None:
    said, code = in_a_terminal(tmp_path, environment, *options)
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("minikernel: ")


def test_a_terminal_that_goes_away_takes_the_kernel_with_it(
    console: Callable[..., Terminal],
) -> None:
    terminal = console()
    terminal.run("import os; print(os.getpid())", number=1)
    terminal.child.expect(re.escape(OUTPUT) + r"(\d+)\r\n")
    kernel = int(terminal.child.match.group(1))
    terminal.see("In [2]: ")
    terminal.child.kill(signal.SIGHUP)
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
