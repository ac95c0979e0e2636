"""A kernel's end is certain: a small process is its parent, and outlives whoever uses it.

The bridge may be killed at any time, alone or with its group. So the kernel is the child of a
reaper, which is forked before anything large is imported, has a session of its own, is no
descendant of the bridge, and heeds no signal. It waits for the end of the bridge's pipe; then it
ends the kernel and all that the kernel has started, and removes the folder of its sockets.

    bridge -- commands: what to start, then a byte each, the number of a signal; its end is the
              bridge's --> reaper
           <-- news: "started PID REAPER" or "failed ERRNO", and in the end "ended CODE" --

On Linux the reaper is a "child subreaper": what was orphaned becomes its child, also if it made
itself a session of its own. On macOS such a process is found while its parent lives.

This module, and what it imports, is most of a reaper: not even `typing` is among it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # C's half of `signal`: see above
import errno
import os
import time

from minikernel.bridge import folder as folders
from minikernel.bridge import processes, reaping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 4.0  # seconds after which we give up what not even SIGKILL ends
PAUSE = 0.05  # seconds between two looks at who is left
LOOKS = 2  # that find nobody: in the middle of an exec a process shows no environment

_ready: list[Reaper] = []


def fork() -> None:
    """Fork the reaper for the next `start` now, while this process is as small as it can be."""
    _ready.append(Reaper())


def start(argv: Sequence[str], env: Mapping[str, str], cwd: str | None, folder: str) -> Kernel:
    """Start a kernel behind a reaper. The caller has no other threads yet.

    Args:
        argv: what to run; the program is looked for on the PATH of `env`.
        env: its environment, to which JPY_PARENT_PID is added: the reaper, its parent.
        cwd: its working directory; None: ours.
        folder: of its sockets, mode 0700; it is removed when all has ended.

    Raises:
        OSError: the folder is not ours alone, or the program can't be run.
        ValueError: there is a zero byte in a text.
    """
    found = folders.look_at(folder)
    reaper = _ready.pop() if _ready else Reaper()
    return reaper.start(reaping.Order(list(argv), dict(env), cwd, found))


class Reaper:
    """A process that waits to be told what to start. It ends with us."""

    def __init__(self) -> None:
        commands, self._commands = os.pipe()
        self._news, news = os.pipe()
        # A signal to our group must not reach a child that has not yet learned to ignore it.
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, reaping.DEAF_TO)
        try:
            middle = os.fork()
            if middle == 0:
                reaping.leave(commands, news, mask)
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        os.close(commands)
        os.close(news)
        os.waitpid(middle, 0)

    def start(self, order: reaping.Order) -> Kernel:
        """Have it start a kernel; see the function."""
        try:
            self._write(order.packed())
            said = self._read_line()
        except BaseException:
            os.close(self._commands)
            os.close(self._news)
            raise
        word, *numbers = said.split()
        if word != b"started":
            os.close(self._commands)
            os.close(self._news)
            number = int(numbers[0])
            raise OSError(number, os.strerror(number), order.argv[0])
        os.set_blocking(self._news, False)
        pid, reaper = map(int, numbers)
        return Kernel(pid, reaper, order.folder, self._commands, self._news)

    def _write(self, packed: bytes) -> None:
        while packed:
            packed = packed[os.write(self._commands, packed) :]

    def _read_line(self) -> bytes:
        said = b""
        while not said.endswith(b"\n"):
            byte = os.read(self._news, 1)  # not more: the kernel may have ended already
            if not byte:
                raise BrokenPipeError(errno.EPIPE, "its reaper was killed", None)
            said += byte
        return said


class Kernel:
    """A kernel behind its reaper, as the bridge has it.

    Args:
        pid: of the kernel, and of its session and process group.
        reaper: the pid of its parent.
        folder: of its sockets.
        commands, news: the bridge's ends of the pipes.
    """

    def __init__(
        self, pid: int, reaper: int, folder: folders.Folder, commands: int, news: int
    ) -> None:
        self.pid = pid
        self.reaper = reaper
        self._folder = folder
        self._commands = commands
        self._news = news
        self._code: int | None = None
        self._closed = False

    @property
    def fd(self) -> int:
        """A descriptor that is readable once the kernel has ended, until it is asked by `poll`."""
        return self._news

    def signal(self, number: int) -> None:
        """Send a signal to the kernel's process group; if it has ended, to nobody."""
        if self._closed:
            return
        try:
            os.write(self._commands, bytes([number]))
        except BrokenPipeError:  # the reaper was killed: `poll` sees to it
            return

    def poll(self) -> int | None:
        """The kernel's exit code, or the signal that ended it, negative; None while it runs.

        If somebody killed the reaper, the kernel and what is known of its kin are killed too.
        """
        if self._code is None and not self._closed:
            try:
                line = os.read(self._news, 64)
            except BlockingIOError:
                return None
            self._code = int(line.split()[1]) if line else self._take_over()
        return self._code

    def close(self) -> None:
        """Let the reaper do its work: end what is left of the kernel, and remove the folder.

        That takes as long as the kernel takes, and nobody waits for it.
        """
        if not self._closed:
            self._closed = True
            os.close(self._commands)
            os.close(self._news)

    def _take_over(self) -> int:
        mark = reaping.mark(self._folder)
        deadline = time.monotonic() + PATIENCE
        empty = 0
        while empty < LOOKS and time.monotonic() < deadline:
            left = [p.pid for p in processes.listed() if self._is_kin(p, mark)]
            reaping.send(_signal.SIGKILL, left)
            empty = 0 if left else empty + 1
            time.sleep(PAUSE)
        folders.remove(self._folder)
        return -int(_signal.SIGKILL)

    def _is_kin(self, process: processes.Process, mark: bytes) -> bool:
        if process.session == self.pid:
            return True
        environment = processes.content(f"{processes.PROC}/{process.pid}/environ") or b""
        return mark in environment.split(b"\0")
