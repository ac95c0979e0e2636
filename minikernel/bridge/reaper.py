"""A kernel's end is certain: a small process is its parent, and outlives whoever uses it.

The bridge may be killed at any time, alone or with its group. So the kernel is the child of a
reaper, which is forked before anything large is imported, has a session of its own, is no
descendant of the bridge, and heeds no signal. It waits for the end of the bridge's pipe; then it
ends the kernel and all that the kernel has started, and removes the folder of its sockets.

    bridge -- commands: a byte each, the number of a signal; its end is the bridge's --> reaper
           <-- news: "started PID" or "failed ERRNO", and in the end "ended CODE" --

On Linux the reaper is a "child subreaper": what was orphaned becomes its child, also if it made
itself a session of its own. On macOS such a process is found while its parent lives.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # C's half of `signal`, a reaper's size matters
import os
import time
from typing import TYPE_CHECKING

from minikernel.bridge import folder as folders
from minikernel.bridge import processes, reaping
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 4.0  # seconds after which we give up what not even SIGKILL ends
PAUSE = 0.05  # seconds between two looks at who is left
LOOKS = 2  # that find nobody: in the middle of an exec a process shows no environment


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


def start(argv: Sequence[str], env: Mapping[str, str], cwd: str | None, folder: str) -> Kernel:
    """Start a kernel behind a reaper. The caller has no other threads yet, and is small.

    Args:
        argv: what to run; the program is looked for on the PATH of `env`.
        env: its environment, to which JPY_PARENT_PID is added: the reaper, its parent.
        cwd: its working directory; None: ours.
        folder: of its sockets, mode 0700; it is removed when all has ended.

    Raises:
        ConfigError: the folder is not ours alone, or the program can't be run.
    """
    order = reaping.Order(argv, env, cwd, folders.look_at(folder))
    commands, commands_in = os.pipe()
    news_out, news = os.pipe()
    # A signal to our group must not reach a child that has not yet learned to ignore it.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, reaping.DEAF_TO)
    try:
        middle = os.fork()
        if middle == 0:
            reaping.leave(order, commands, news, mask)
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    os.close(commands)
    os.close(news)
    os.waitpid(middle, 0)
    try:
        return _started(order, commands_in, news_out)
    except BaseException:
        os.close(commands_in)
        os.close(news_out)
        raise


def _started(order: reaping.Order, commands: int, news: int) -> Kernel:
    said = b""
    while not said.endswith(b"\n"):
        byte = os.read(news, 1)  # not more: the kernel may have ended already
        if not byte:
            raise ConfigError("the kernel was not started: its reaper was killed")
        said += byte
    word, *numbers = said.split()
    if word != b"started":
        problem = os.strerror(int(numbers[0]))
        raise ConfigError(f"the kernel can't be started: {order.argv[0]!r}: {problem}")
    os.set_blocking(news, False)
    return Kernel(int(numbers[0]), int(numbers[1]), order.folder, commands, news)
