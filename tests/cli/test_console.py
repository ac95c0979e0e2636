"""The console in a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest

import minikernel
from minikernel.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import KernelProcess

TIMEOUT = 20  # seconds for any one answer
OUTPUT = "\x1b[?2004l"  # the end of a prompt: bracketed paste is switched off
COLOURS = r"(?:\x1b\[[0-9;]*m)*"
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
        self.plain = "NO_COLOR" in environment
        self.see = self.child.expect_exact
        self.type = self.child.send

    def run(self, code: str, *seen: str, number: int) -> None:
        """Type a line at prompt `number`, see what is expected, and the next prompt."""
        self.at_prompt(number)
        self.type(f"{code}\r")
        for text in seen:
            self.see(text)

    def at_prompt(self, number: int) -> None:
        """Without colours prompt_toolkit jumps over blanks."""
        self.see(f"[{number}]:" if self.plain else f"In [{number}]: ")

    def shows(self, text: str) -> None:
        """See text whatever its colours."""
        self.child.expect(COLOURS.join(map(re.escape, text)))

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
    terminal.see(OUTPUT + "\x1b[31mOut[7]: \x1b[0mzip")
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


@pytest.mark.slow
def test_the_bottom_line_counts_verdicts(console: Callable[..., Terminal]) -> None:
    terminal = console(PROMPT_TOOLKIT_NO_CPR="")
    terminal.see(CPR)
    terminal.type("\x1b[3;1R")
    terminal.child.expect(r"rejected 0 · shell \d+ ok · control \d+ ok · stdin 0 · iopub \d+ ok ")
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
    terminal.shows("input('more? ')")
    terminal.type("\x1b[A" * 3)
    terminal.shows("x = 'from another client'")
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
def invite(tmp_path: Path, guarded: minikernel.MiniKernelClient) -> Callable[..., str]:
    """Writes an invitation, to that kernel if no other is named; its path."""

    def invite(rights: str, name: str = "alice", kernel: str = "") -> str:
        path = str(tmp_path / f"{name}.json")
        to = ["--connection-file", kernel or guarded.connection_file, "--output", path]
        assert main(["invite", "--name", name, "--rights", rights, *to]) == 0
        return path

    return invite


SLEEPING = "print('asl' 'eep', flush=True); import time; time.sleep(600)"


def test_ctrl_c_where_a_handshake_comes_first(
    console: Callable[..., Terminal], invite: Callable[..., str]
) -> None:
    terminal = console("--existing", invite("observe,execute,interrupt"))
    for number in range(1, 6):  # more often than there are places for an invitation
        terminal.run(SLEEPING, OUTPUT + "asleep", number=number)
        terminal.type("\x03")
        terminal.see("KeyboardInterrupt")
    terminal.run("exit", number=6)
    assert terminal.ended()


def nothing_was_refused(owner: minikernel.MiniKernelClient) -> bool:
    return owner.auth_status().rejected == 0


def test_an_observer_sees_cells_outputs_errors_and_whose_they_are(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    bobs = invite("execute,input", "bob")
    terminal = console("--existing", invite("observe"), NO_COLOR="1")
    terminal.see("alice may observe\r\n")
    terminal.see("you cannot run cells")
    terminal.see("rejected 0 · watching")
    guarded.run("for n in (1, 2):\n    print('line', n)")
    terminal.see("the owner In [1]: for n in (1, 2):\r\n")
    terminal.see("             ...:     print('line', n)\r\n")
    terminal.see("line 1\r\nline 2\r\n")
    with minikernel.connect(bobs, timeout=TIMEOUT) as bob:
        bob.run("6 * 7")
        terminal.see("bob In [2]: 6 * 7\r\n")
        terminal.see("Out[2]: 42\r\n")
        bob.run("1 / 0")
        terminal.see("bob In [3]: 1 / 0\r\n")
        terminal.see("ZeroDivisionError: division by zero\r\n")
    guarded.run("import time; print('begun', end='', flush=True); time.sleep(2); '\x1b[2J'")
    terminal.see("begun\r\n")  # not only when the cell has ended
    terminal.see(r"Out[4]: '\x1b[2J'")
    terminal.type("\x04")
    assert terminal.ended()
    assert nothing_was_refused(guarded)


def test_an_observer_can_type_nothing(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    terminal = console("--existing", invite("observe,introspect"))
    terminal.see("watching")
    terminal.type("x")
    terminal.see("alice may observe, introspect; Ctrl-D ends this console")
    terminal.type("\r\t\x1b[A\x11\x11\x03")
    terminal.see("you may not interrupt; Ctrl-D ends this console")
    terminal.type("\x04")
    assert terminal.ended()
    assert guarded.run("1").execution_count == 1
    assert nothing_was_refused(guarded)


@pytest.mark.slow
def test_rights_to_interrupt_and_shut_down_have_keys(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    start_kernel: Callable[..., KernelProcess],
) -> None:
    kernel = start_kernel(signature_scheme="channel-hmac-sha256")
    path = invite("observe,interrupt,shutdown", kernel=str(kernel.file))
    terminal = console("--existing", path)
    terminal.see("Ctrl-C interrupts the running cell\r\nCtrl-Q Ctrl-Q ends the kernel")
    terminal.see("watching")
    with minikernel.connect(kernel.file, timeout=TIMEOUT) as owner:
        asked = owner.execute(SLEEPING)
        terminal.see("asleep")
        terminal.type("\x03")
        terminal.see("KeyboardInterrupt")
        reply = owner.get_shell_msg(timeout=TIMEOUT)
        assert (reply["parent_header"]["msg_id"], reply["content"]["status"]) == (asked, "error")
        assert nothing_was_refused(owner)
    terminal.type("\x11\x11")
    assert terminal.ended()
    assert kernel.process.wait(TIMEOUT) == 0


def test_who_may_neither_run_nor_observe_is_told(
    console: Callable[..., Terminal], invite: Callable[..., str]
) -> None:
    terminal = console("--existing", invite("interrupt"))
    terminal.see("this invitation is not for outputs: nothing will be shown")
    terminal.see("watching")
    terminal.type("\x04")
    assert terminal.ended()


def test_the_end_of_the_kernel_ends_the_watching(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    start_kernel: Callable[..., KernelProcess],
) -> None:
    kernel = start_kernel(signature_scheme="channel-hmac-sha256")
    terminal = console("--existing", invite("observe", kernel=str(kernel.file)))
    terminal.see("watching")
    with minikernel.connect(kernel.file, timeout=TIMEOUT) as owner:
        owner.shutdown()
        terminal.see("the kernel ends")
    assert terminal.ended()


def test_an_owner_s_prompt_shows_what_others_run(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    terminal = console("--existing", guarded.connection_file, NO_COLOR="1")
    terminal.at_prompt(1)
    terminal.type("mine")
    with minikernel.connect(invite("execute"), timeout=TIMEOUT) as alice:
        alice.run("print('from', 'alice'); mine = 1")
    terminal.see("alice In [1]: print('from', 'alice'); mine = 1\r\n")
    terminal.see("from alice\r\n")
    terminal.at_prompt(2)
    terminal.see("mine")  # what was being typed is still there
    terminal.type("\r")
    terminal.see(OUTPUT + "Out[2]: 1\r\n")
    terminal.run("exit", number=3)
    assert terminal.ended()
    assert nothing_was_refused(guarded)


def test_a_name_that_nobody_has_verified_is_quoted(
    console: Callable[..., Terminal], existing: minikernel.MiniKernelClient
) -> None:
    terminal = console("--existing", existing.connection_file, NO_COLOR="1")
    terminal.at_prompt(1)
    existing.session.username = "the owner\x1b[2J"
    existing.run("6 * 7")
    terminal.see(r'"the owner\x1b[2J" In [1]: 6 * 7' + "\r\n")
    terminal.see("Out[1]: 42")
    terminal.run("exit", number=2)
    assert terminal.ended()


def fall_asleep(client: minikernel.MiniKernelClient) -> None:
    client.execute(SLEEPING)
    while client.get_iopub_msg(timeout=TIMEOUT)["msg_type"] != "stream":
        pass


def test_a_busy_kernel_is_waited_for_in_words(
    console: Callable[..., Terminal], existing: minikernel.MiniKernelClient
) -> None:
    fall_asleep(existing)
    terminal = console("--existing", existing.connection_file)
    terminal.see("on minikernel")
    terminal.see("waiting for the kernel, which is busy")
    existing.interrupt()
    terminal.see("KeyboardInterrupt")  # of the cell for which it waited
    terminal.run("6 * 7", "42", number=2)
    terminal.run("exit", number=3)
    assert terminal.ended()


def test_who_does_not_want_to_wait_need_not(
    console: Callable[..., Terminal], existing: minikernel.MiniKernelClient
) -> None:
    fall_asleep(existing)
    terminal = console("--existing", existing.connection_file)
    terminal.see("waiting for the kernel, which is busy")
    terminal.type("\x03")
    terminal.see("In [*]: ")
    terminal.type("\x04")
    assert terminal.ended()


def test_a_question_mark_shows_the_keys(console: Callable[..., Terminal]) -> None:
    terminal = console()
    terminal.run("?", "Ctrl-C        interrupt the running cell", number=1)
    terminal.run("exit", number=1)
    assert terminal.ended()


def test_a_long_page_goes_through_the_pager(console: Callable[..., Terminal]) -> None:
    terminal = console(PAGER="sed s/^/paged:/")
    terminal.run("f = lambda: 1; f.__doc__ = 'of many lines\\n' * 99", number=1)
    terminal.run("f?", "paged:of many lines", number=2)
    terminal.run("exit", number=3)
    assert terminal.ended()


def test_what_is_typed_has_colours_and_an_earlier_cell_suggests_the_rest(
    console: Callable[..., Terminal],
) -> None:
    terminal = console()
    terminal.run("value = 'a' 'b'; value", "'ab'", number=1)
    terminal.see("In [2]: ")
    terminal.type("lambda: None")
    terminal.child.expect(r"\x1b\[[0-9;]+mlambda")
    terminal.type("\x03val")
    terminal.see("ue = 'a' 'b'; value")
    terminal.type("\x1b[C\r")  # Right takes it
    terminal.see(OUTPUT + "\x1b[31mOut[2]: \x1b[0m'ab'")
    terminal.run("exit", number=3)
    assert terminal.ended()


def test_several_lines_without_the_right_to_introspect(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    terminal = console("--existing", invite("observe,execute"), NO_COLOR="1")
    terminal.run("for i in range(2):", "...:", number=1)
    terminal.type("  print('line', i)\r\r")
    terminal.see(OUTPUT + "line 0\r\nline 1\r\n")
    terminal.at_prompt(2)
    terminal.type("pri\t\x03")
    terminal.run("exit", number=2)
    assert terminal.ended()
    assert nothing_was_refused(guarded)


@pytest.mark.slow
def test_an_invitation_that_may_not_interrupt(
    console: Callable[..., Terminal],
    invite: Callable[..., str],
    guarded: minikernel.MiniKernelClient,
) -> None:
    terminal = console("--existing", invite("observe,execute"))
    terminal.run(SLEEPING, OUTPUT + "asleep", number=1)
    terminal.type("\x03")
    terminal.see("no interrupt: this client may not interrupt")
    terminal.type("\x03")
    terminal.see("no longer waiting for this cell")
    guarded.interrupt()
    terminal.see("In [1]: ")
    terminal.type("\x04")
    assert terminal.ended()


@pytest.mark.slow
def test_an_invitation_that_does_not_observe(
    console: Callable[..., Terminal], invite: Callable[..., str]
) -> None:
    terminal = console("--existing", invite("execute"))
    terminal.see("this invitation is not for outputs: you see whether a cell failed")
    terminal.run("1 / 0", "ZeroDivisionError\x1b[0m: division by zero", number=1)
    terminal.run("exit", number=2)
    assert terminal.ended()


def test_no_place_for_one_more(
    console: Callable[..., Terminal], invite: Callable[..., str]
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


KINDS = pytest.mark.parametrize("scheme", ["hmac-sha256", "channel-hmac-sha256"])
DIED = "the kernel has ended"


@KINDS
def test_the_end_of_an_existing_kernel_while_a_cell_runs(
    console: Callable[..., Terminal], start_kernel: Callable[..., KernelProcess], scheme: str
) -> None:
    kernel = start_kernel(signature_scheme=scheme)
    terminal = console("--existing", str(kernel.file))
    terminal.run(SLEEPING, OUTPUT + "asleep", number=1)
    kernel.kill()
    terminal.see(DIED)
    assert terminal.ended()


@KINDS
def test_the_end_of_an_existing_kernel_at_the_prompt(
    console: Callable[..., Terminal], start_kernel: Callable[..., KernelProcess], scheme: str
) -> None:
    kernel = start_kernel(signature_scheme=scheme)
    terminal = console("--existing", str(kernel.file))
    terminal.at_prompt(1)
    with minikernel.connect(kernel.file, timeout=TIMEOUT) as other:
        kernel.kill()
        with pytest.raises(minikernel.KernelDied):  # now the console can know it, too
            other.run("6 * 7")
    terminal.type("6 * 8\r")
    terminal.see(DIED)
    assert terminal.ended()


def test_an_existing_kernel_that_another_client_ends(
    console: Callable[..., Terminal], start_kernel: Callable[..., KernelProcess]
) -> None:
    kernel = start_kernel()
    terminal = console("--existing", str(kernel.file))
    terminal.at_prompt(1)
    with minikernel.connect(kernel.file, timeout=TIMEOUT) as other:
        other.shutdown()
        terminal.see("the kernel ends")
    assert terminal.ended()


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
