"""What happens in the reaper's process (see `reaper`): it never returns to its caller."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # C's half of `signal`: a reaper is to be small
import errno
import gc
import marshal
import os
import select
import sys
import time

from minikernel.bridge import folder as folders
from minikernel.bridge import processes

TYPE_CHECKING = False  # see `reaper`
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

GRACE = 3.0  # seconds between SIGTERM and SIGKILL
LAST = 4.0  # seconds after which it gives up what not even SIGKILL ends
PAUSE = 50  # milliseconds between two looks at who is left
MARK = "MINIKERNEL_FOLDER"  # in the environment of all that a kernel starts
DEAF_TO = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
# As for any program: Python ignores these two, and a shell may have ignored the first.
DEFAULT_IN_KERNEL = {_signal.SIGINT, _signal.SIGTERM, _signal.SIGQUIT}
DEFAULT_IN_KERNEL |= {_signal.SIGPIPE, _signal.SIGXFSZ}
SET_DEATH_SIGNAL, SET_SUBREAPER = 1, 36  # prctl(2), PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER
LENGTH = 4  # bytes of an order's length
NOT_EXECUTED = 127  # a shell's exit code for it


class Order:
    """What to start; see `reaper.start`."""

    def __init__(
        self, argv: list[str], env: dict[str, str], cwd: str | None, folder: folders.Folder
    ) -> None:
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.folder = folder

    def packed(self) -> bytes:
        """For a fork of ourselves: its length, and what it says."""
        place = (self.folder.path, self.folder.device, self.folder.inode)
        packed = marshal.dumps((self.argv, self.env, self.cwd, place))
        return len(packed).to_bytes(LENGTH, "big") + packed


def _ordered(commands: int) -> Order | None:
    """What comes through the pipe; None: the bridge has ended before."""
    length = _read(commands, LENGTH)
    packed = _read(commands, int.from_bytes(length, "big")) if length else b""
    if not packed:
        return None
    argv, env, cwd, place = marshal.loads(packed)  # noqa: S302 - of a fork of ourselves
    return Order(argv, env, cwd, folders.Folder(*place))


def _read(pipe: int, length: int) -> bytes:
    read = b""
    while len(read) < length:
        part = os.read(pipe, length - len(read))
        if not part:
            return b""
        read += part
    return read


def mark(folder: folders.Folder) -> bytes:
    """By which all that one kernel has started is known, as it is in its environment."""
    return f"{MARK}={folder.path}".encode()


def send(number: int, pids: Iterable[int]) -> None:
    """Send a signal to those that are still there, and ours."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:  # gone, or another user's
            continue


def leave(commands: int, news: int, mask: Iterable[int]) -> NoReturn:
    """In a child of the bridge: fork the reaper, and end, so that it is nobody's descendant."""
    try:
        os.setsid()  # no terminal's, and no group's that somebody signals
        if os.fork() == 0:
            _reap(commands, news, mask)
    finally:
        os._exit(0)


def _reap(commands: int, news: int, mask: Iterable[int]) -> None:
    gc.disable()
    hangup = _signal.getsignal(_signal.SIGHUP)  # nohup's wish is the kernel's as well
    for number in DEAF_TO:
        _signal.signal(number, _signal.SIG_IGN)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    _close_all_but(commands, news)
    _control_process(SET_SUBREAPER, 1)
    ended = _told_of_children()
    order = _ordered(commands)
    if order is None:
        return
    kernel, problem = _start_kernel(order, hangup)
    if problem:
        _tell(news, f"failed {problem}\n")
    else:
        _let_go_of_streams()
        _tell(news, f"started {kernel} {os.getpid()}\n")
        _watch(kernel, commands, news, ended)
        _end_all(kernel, ended)
    folders.remove(order.folder)


def _close_all_but(*kept: int) -> None:
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, max(low, os.sysconf("SC_OPEN_MAX")))


def _told_of_children() -> int:
    """A descriptor that is readable when a child has ended."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _control_process(option: int, value: int) -> None:
    """prctl(2); where there is none, and in a Python without _ctypes, nothing."""
    if sys.platform != "linux":
        return
    try:
        import _ctypes  # much less than ctypes

        library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # typeshed: None is the process
        prctl = _ctypes.dlsym(library, "prctl")
        _ctypes.call_cdeclfunction(prctl, (option, value, 0, 0, 0))
    except (ImportError, OSError):
        return


def _start_kernel(order: Order, hangup: object) -> tuple[int, int]:
    """Its pid, and the number of the error if it can't be run, else 0."""
    reaper = os.getpid()
    env = {**order.env, "JPY_PARENT_PID": str(reaper), MARK: order.folder.path}
    reading, writing = os.pipe()  # ends, with nothing said, when the program runs
    pid = os.fork()
    if pid == 0:
        try:
            _become_kernel(order, env, reaper, hangup)
        except OSError as error:
            os.write(writing, str(error.errno).encode())
        except ValueError:  # a zero byte
            os.write(writing, str(errno.EINVAL).encode())
        finally:
            os._exit(NOT_EXECUTED)
    os.close(writing)
    problem = int(os.read(reading, 16) or 0)
    os.close(reading)
    return pid, problem


def _become_kernel(order: Order, env: dict[str, str], reaper: int, hangup: object) -> None:
    os.setsid()
    # If somebody kills the reaper and the bridge at once, there is nobody else to do it.
    _control_process(SET_DEATH_SIGNAL, _signal.SIGKILL)
    if os.getppid() != reaper:
        return
    for number in DEFAULT_IN_KERNEL:
        _signal.signal(number, _signal.SIG_DFL)
    if hangup != _signal.SIG_IGN:
        _signal.signal(_signal.SIGHUP, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    if order.cwd is not None:
        os.chdir(order.cwd)
    os.execvpe(order.argv[0], order.argv, env)  # noqa: S606 - what it is for


def _let_go_of_streams() -> None:
    # Whoever reads what the kernel prints sees its end when the kernel has ended, not later; and
    # no directory that was ours is held.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.close(null)
    os.chdir("/")


def _tell(news: int, line: str) -> None:
    try:
        os.write(news, line.encode())
    except BrokenPipeError:  # the bridge has ended
        return


def _watch(kernel: int, commands: int, news: int, ended: int) -> None:
    """Until the bridge has ended, do what it says, and tell when the kernel has ended."""
    poll = select.poll()
    poll.register(commands, select.POLLIN)
    poll.register(ended, select.POLLIN)
    running = True
    while True:
        ready = dict(poll.poll())
        if ended in ready and running and (status := _wait_for_children(kernel, ended)) is not None:
            running = False
            _tell(news, f"ended {os.waitstatus_to_exitcode(status)}\n")
        if commands in ready:
            numbers = os.read(commands, 64)
            if not numbers:
                return
            for number in numbers if running else b"":
                _send_to_group(kernel, number)


def _wait_for_children(kernel: int, ended: int) -> int | None:
    """Wait for those that have ended; the kernel's status, if it is one of them."""
    _empty(ended)
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == kernel:
            found = status


def _empty(pipe: int) -> None:
    try:
        while os.read(pipe, 512):
            pass
    except BlockingIOError:
        return


def _send_to_group(kernel: int, number: int) -> None:
    try:
        os.killpg(kernel, number)
    except OSError:
        return


def _end_all(kernel: int, ended: int) -> None:
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    for number, bound in ((_signal.SIGTERM, GRACE), (_signal.SIGKILL, LAST)):
        told: set[int] = set()
        deadline = time.monotonic() + bound
        while (left := _left(kernel, ended)) and time.monotonic() < deadline:
            send(number, left - told)  # once: some take the second as "at once"
            told |= left
            poll.poll(PAUSE)


def _left(kernel: int, ended: int) -> set[int]:
    _wait_for_children(kernel, ended)
    listed = processes.listed()
    # The session as well: without a subreaper not all of it are descendants.
    return processes.family(os.getpid(), listed) | {p.pid for p in listed if p.session == kernel}
