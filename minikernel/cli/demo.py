"""`minikernel demo`: cells on a fresh kernel, then three attacks on it, with every verdict."""

from __future__ import annotations

import functools
import hmac
import io
import json
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minikernel.cli.kernels import kernel_of_our_own
from minikernel.cli.outsider import outsider
from minikernel.cli.terminal import style
from minikernel.client.escape import shortened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from minikernel import MiniKernelClient, Result, TraceEvent
    from minikernel.client.verifier import Msg

EPILOG = """\
It starts a kernel as a process of its own, connects over TCP on 127.0.0.1, and
prints a line for each message, as the client sent it or found it authentic.
Then a stranger, who can reach the kernel's port but has no key, tries three
things. It takes a few seconds, needs no network and leaves no key behind.
The exit code is 0 only if all happened as it should.
"""
INTRODUCTION = """\
A kernel runs code for whoever it believes. This one shares a key with a client:
each message is signed with it, and verified where it arrives. Here are eight
cells, with all messages that the client sends and receives for them. Then a
stranger, who can reach the kernel's port but has no key, tries three times to
have code run."""
PATIENCE = 10.0  # seconds for any one step
POLL = 0.01  # seconds between two looks into the kernel's ledger
OURS = "['ours']"
LINE = "  {:<8} {:<9} {:<19} {:>7}  {}"


@dataclass(frozen=True)
class Cell:
    """A cell to show.

    Args:
        title: what it shows.
        code: the source.
        outcome: says in words what came of it.
        expected: what `outcome` has to say.
    """

    title: str
    code: str
    outcome: Callable[[Result], str]
    expected: str


@dataclass(frozen=True)
class Attack:
    """A message from a stranger.

    Args:
        title: what is attempted.
        frames: makes the message of one of ours that was recorded.
        reason: by which the kernel must count it.
    """

    title: str
    frames: Callable[[Sequence[bytes]], list[bytes]]
    reason: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo`: none."""
    parser.epilog = EPILOG


def run(_: argparse.Namespace) -> int:
    """Show it; 0 if all happened as it should."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a tick that the terminal hasn't got
    print(style("Who said this?", "bold"), INTRODUCTION, sep="\n")
    print("\nStarting a kernel as a process ...", end=" ", flush=True)
    with kernel_of_our_own(extra_arguments=["--history", "off"]) as client:
        print(_address(client))
        stage = Stage(client)
        try:
            stage.play()
        except (TimeoutError, OSError) as problem:
            stage.check(str(problem) or type(problem).__name__, as_said=False)
    return stage.close()


def _address(client: MiniKernelClient) -> str:
    return f"its shell is {client.transport}://{client.ip}:{client.shell_port}"


class Stage:
    """Runs the cells and the attacks, and keeps what did not happen as it should."""

    def __init__(self, client: MiniKernelClient) -> None:
        self._client = client
        self._recorded: Sequence[bytes] = ()
        self._number = 0
        self._failures: list[str] = []

    def play(self) -> None:
        """Everything, in order."""
        self._client.trace = self._show
        for cell in CELLS:
            self._run(cell)
        self._client.trace = None
        self._attack()
        self._show_ledgers()

    def _run(self, cell: Cell) -> None:
        self._headline(cell.title)
        for line in cell.code.splitlines():
            print(style(f"  | {line}", "cyan"))
        print(style(LINE.format("channel", "direction", "type", "bytes", "verdict"), "dim"))
        result = self._client.run(
            cell.code,
            timeout=PATIENCE,
            on_output=functools.partial(_interrupt_when_asleep, self._client),
            on_input=lambda _prompt, _password: "Ada",
        )
        outcome = cell.outcome(result)
        self.check(f"{cell.title}: {shortened(outcome, 50)}", as_said=outcome == cell.expected)

    def _show(self, event: TraceEvent) -> None:
        if event.msg_type == "execute_request":
            self._recorded = event.frames  # as anybody on the way could
        kind = shortened(event.msg_type, 19)
        self._line(event.channel, event.direction, kind, event.size, event.verdict)

    def _line(self, channel: str, direction: str, kind: str, size: int, verdict: str) -> None:
        colour = "green" if verdict == "ok" else "red"
        print(LINE.format(channel, direction, kind, size, style(verdict, colour)))

    def _attack(self) -> None:
        with outsider(self._client.ip, self._client.shell_port) as stranger:
            for attack in ATTACKS:
                self._headline(f"A stranger sends {attack.title}")
                before = self._refused(attack.reason)
                frames = attack.frames(self._recorded)
                stranger.send(frames)
                refused = self._wait_for(attack.reason, before)
                size = sum(map(len, frames))
                verdict = f"refused: {attack.reason}" if refused else "not refused"
                self._line("shell", "stranger", "execute_request", size, verdict)
                self.check(f"{attack.title} was refused by the kernel", as_said=refused)
        self._headline("What has run of all that?")
        ran = self._client.run("ran", timeout=PATIENCE).value
        self.check(f"only our own request, and that once: ran == {ran}", as_said=ran == OURS)

    def _refused(self, reason: str) -> int:
        return self._client.auth_status(PATIENCE)["shell"].rejected.get(reason, 0)

    def _wait_for(self, reason: str, before: int) -> bool:
        deadline = time.monotonic() + PATIENCE
        while self._refused(reason) == before and time.monotonic() < deadline:
            time.sleep(POLL)
        return self._refused(reason) == before + 1

    def _show_ledgers(self) -> None:
        kernels, ours = self._client.auth_status(PATIENCE), self._client.ledger
        self._headline("The kernel's ledger")
        print(_indented(str(kernels)))
        self.check(
            f"it refused {kernels.rejected} messages", as_said=kernels.rejected == len(ATTACKS)
        )
        self._headline("The client's ledger, from the moment that it had subscribed")
        print(_indented(str(ours)))
        self.check(f"it refused {ours.rejected} messages", as_said=ours.rejected == 0)

    def _headline(self, text: str) -> None:
        self._number += 1
        print(f"\n{style(f'{self._number}. {text}', 'bold')}")

    def check(self, what: str, *, as_said: bool) -> None:
        """Say what happened, and keep it if it should not have."""
        print(f"  {style('✓', 'green') if as_said else style('✗', 'red')} {what}", flush=True)
        if not as_said:
            self._failures.append(what)

    def close(self) -> int:
        """The last word, and the exit code."""
        if self._failures:
            print(style(f"\n{len(self._failures)} things did not happen as they should:", "red"))
            for what in self._failures:
                print(f"  {what}")
            return 1
        print("\nAll happened as it should. Now run cells of your own:")
        print(f"  {own_command()} console")
        return 0


def own_command() -> str:
    """What calls this command line again, from where it was called."""
    if shutil.which("minikernel"):
        return "minikernel"
    script = Path(sys.executable).with_name("minikernel")
    here = Path.cwd()
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m minikernel"
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


def _interrupt_when_asleep(client: MiniKernelClient, msg: Msg) -> None:
    if msg["content"].get("text") == "asleep\n":
        client.interrupt()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _error(result: Result) -> str:
    return result.error.ename if result.error else "no error"


def _mimetypes(result: Result) -> str:
    return ", ".join(sorted(kind for shown in result.displays for kind in shown["data"]))


CELLS = (
    Cell("standard output", "print('hello')", lambda r: r.stdout.strip(), "hello"),
    Cell("a value", "6 * 7", lambda r: str(r.value), "42"),
    Cell(
        "a rich display",
        "display({'text/html': '<b>bold</b>', 'text/plain': 'bold'}, raw=True)",
        _mimetypes,
        "text/html, text/plain",
    ),
    Cell("an error", "1 / 0", _error, "ZeroDivisionError"),
    Cell(
        "input, answered",
        "print('hello', input('Your name? '))",
        lambda r: r.stdout.strip(),
        "hello Ada",
    ),
    Cell(
        "an interrupt",
        "import time\nprint('asleep', flush=True)\ntime.sleep(60)",
        _error,
        "KeyboardInterrupt",
    ),
    Cell("a list, where code that runs will leave its name", "ran = []", lambda r: r.status, "ok"),
    Cell(
        "a request that a stranger records", "ran.append('ours')\nran", lambda r: str(r.value), OURS
    ),
)


def _forged(recorded: Sequence[bytes]) -> list[bytes]:
    """Signed, but with a key that was guessed."""
    delimiter, _, *said = _saying("forged", recorded)
    signature = hmac.new(b"a guess", b"".join(said), "sha256").hexdigest()
    return [delimiter, signature.encode(), *said]


def _unsigned(recorded: Sequence[bytes]) -> list[bytes]:
    delimiter, _, *said = _saying("unsigned", recorded)
    return [delimiter, b"", *said]


def _saying(word: str, recorded: Sequence[bytes]) -> Iterator[bytes]:
    *frames, content = recorded
    changed: dict[str, Any] = {**json.loads(content), "code": f"ran.append({word!r})"}
    yield from (*frames, json.dumps(changed).encode())


ATTACKS = (
    Attack("a forged message", _forged, "bad signature"),
    Attack("an unsigned message", _unsigned, "bad signature"),
    Attack("a recorded message again", list, "replayed"),
)
