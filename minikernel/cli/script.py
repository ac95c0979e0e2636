"""A script: `python FILE.py`, with the display functions, and escaped on a terminal.

Not on a kernel: threads, exit handlers, buffers, signals, descriptors and the exit code are the
interpreter's own (docs/adr/0012).
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import minikernel
from minikernel.cli.arguments import contents
from minikernel.cli.terminal import Sieve
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from typing_extensions import Self

KILLED = 128  # plus the signal's number: the exit code
READ = 1 << 20  # bytes; more than a pipe holds
LOOK = 200  # ms between two looks whether the script has ended, while others keep its pipe open
TO_ALL = {signal.SIGINT, signal.SIGHUP}  # a terminal sends them to children too
HANDED_ON = (*TO_ALL, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
# The interpreter's own frame, and what `script.run` finds in sys.argv.
BOOT = """\
import sys
_, runner, terminal, *sys.argv = sys.argv
sys.modules.pop("linecache", None)  # Python 3.13 has it keep this text
names = {"__name__": "minikernel.interpreter.script"}
with open(runner, encoding="utf-8") as source:
    exec(compile(source.read(), runner, "exec"), names)
names["run"](sys.argv[0], terminal=bool(terminal))
"""
RUNNER = Path(minikernel.__file__).parent / "interpreter" / "script.py"


def run(file: str, arguments: Sequence[str]) -> int:
    """Run a script; the exit code, 128 and its number after a signal.

    Args:
        file: its path as it was given: `./x.py` is not `x.py` in sys.argv.
        arguments: the rest of its sys.argv.

    Raises:
        ConfigError: the file can't be read, or is not text.
    """
    _check(Path(file))
    sys.stdout.flush()
    with Screens() as screens, HandingOn() as signals:
        pipes = screens.pipe_for(sys.stdout), screens.pipe_for(sys.stderr)
        child = subprocess.Popen(  # noqa: S603 - ourselves
            [*_python(), "terminal" if pipes[0] else "", file, *arguments],
            stdout=pipes[0],
            stderr=pipes[1],
            close_fds=False,  # those that a shell has opened for the script
            start_new_session=True,  # Ctrl-C comes to us, and goes there once
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - no other thread is here
        )
        signals.go_to(child)
        screens.show(child)
        code = child.wait()
    return code if code >= 0 else KILLED - code


def _check(path: Path) -> None:
    """Check that the file is text, in the encoding that it declares (PEP 263)."""
    content = contents(path)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} is not text: {error}") from None


def _python() -> list[str]:
    """This interpreter with its options, about to run a script."""
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # noqa: SLF001 - multiprocessing's too
    return [sys.executable, *options, "-c", BOOT, str(RUNNER)]


def _die_with_parent() -> Callable[[], object] | None:
    """What makes a child end if we are killed; None except on Linux."""
    if sys.platform != "linux":
        return None
    import ctypes  # only there

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(DEATH_SIGNAL, signal.SIGKILL)


class HandingOn:
    """A context in which signals go to the script; what it makes of them is up to it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in HANDED_ON:
            if signal.getsignal(number) not in {signal.SIG_IGN, None}:  # as nohup chose
                self._before[number] = signal.signal(number, self._hand_on)
        self._before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._pause)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def go_to(self, child: subprocess.Popen[bytes]) -> None:
        """Hand signals to the script; it gets those that have come already."""
        self._child = child
        while self._early:
            self._hand_on(self._early.pop(0), None)

    def _hand_on(self, number: int, _: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        elif number in TO_ALL:
            self._send_to_all(number)
        else:
            self._child.send_signal(number)

    def _pause(self, _: int, __: FrameType | None) -> None:
        self._send_to_all(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._send_to_all(signal.SIGCONT)  # and so are we

    def _send_to_all(self, number: int) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
                os.killpg(self._child.pid, number)


class Screens:
    """Terminals behind pipes: what a script writes there is escaped."""

    def __init__(self) -> None:
        self._writing: dict[int, int] = {}  # terminal -> the pipe's end for the script
        self._sieves: dict[int, Sieve] = {}  # our end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (*self._writing.values(), *self._sieves):
            os.close(end)

    def pipe_for(self, stream: TextIO) -> int | None:
        """A pipe for one of our streams, the same for the same terminal; None: it isn't one."""
        if not stream.isatty():
            return None
        terminal = os.fstat(stream.fileno()).st_rdev
        if terminal not in self._writing:
            reading, self._writing[terminal] = os.pipe()
            self._sieves[reading] = Sieve(stream)
        return self._writing[terminal]

    def show(self, child: subprocess.Popen[bytes]) -> None:
        """Show what comes, until the script has ended; a child of its own may go on."""
        poll = select.poll()
        for end in self._sieves:
            poll.register(end, select.POLLIN)
        while self._writing:
            os.close(self._writing.popitem()[1])
        ended = False
        while self._sieves and not ended:
            ended = child.poll() is not None
            for end, _ in poll.poll(0 if ended else LOOK):
                data = os.read(end, READ)
                self._sieves[end].pour(data)
                if not data:
                    poll.unregister(end)
                    os.close(end)
                    del self._sieves[end]
        for sieve in self._sieves.values():
            sieve.pour(b"")
