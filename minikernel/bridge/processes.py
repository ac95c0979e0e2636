"""The processes of this machine, as the system lists them. Imports nothing that a reaper lacks."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see `reaper`
if TYPE_CHECKING:
    from collections.abc import Iterable

PROC = "/proc"
ENDED = (b"Z", b"X")
THREADS = 17  # the place of their number among the fields of /proc/PID/stat after the name


class Process:
    """A process.

    Args:
        pid: its number.
        parent: that of the process which waits for its end.
        session: that of the process which made its session.
    """

    __slots__ = ("parent", "pid", "session")

    def __init__(self, pid: int, parent: int, session: int) -> None:
        self.pid = pid
        self.parent = parent
        self.session = session


def listed() -> list[Process]:
    """All processes that run; on Linux without those that have ended, and wait to be waited for."""
    if os.path.exists(f"{PROC}/self/stat"):
        numbers = (int(name) for name in os.listdir(PROC) if name.isdigit())
        return [process for pid in numbers if (process := _of(pid))]
    return list(_told_by_ps())


def family(root: int, processes: Iterable[Process]) -> set[int]:
    """All descendants of a process, without itself."""
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    ahead = [root]
    while ahead:
        new = [pid for pid in children.get(ahead.pop(), ()) if pid not in found]
        found.update(new)
        ahead += new
    return found - {root}


def content(path: str) -> bytes | None:
    """What is in a file of /proc; None if the process has gone, or is another user's."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(handle, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # it has gone in the middle
        return None
    finally:
        os.close(handle)


def _of(pid: int) -> Process | None:
    stat = content(f"{PROC}/{pid}/stat")
    if not stat:
        return None
    # proc(5): after the name, which may have brackets, come state, parent, group, session.
    fields = stat.rpartition(b")")[2].split()
    if fields[0] in ENDED and int(fields[THREADS]) <= 1:  # else it is its main thread that has
        return None
    return Process(pid, int(fields[1]), int(fields[3]))


def _told_by_ps() -> Iterable[Process]:
    """Where there is no /proc: macOS."""
    reading, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writing, 1)]
    arguments = ["ps", "-A", "-o", "pid=,ppid="]
    child = os.posix_spawnp("ps", arguments, os.environ, file_actions=actions)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        lines = told.read().splitlines()
    os.waitpid(child, 0)
    for line in lines:
        pid, parent = map(int, line.split())
        try:
            yield Process(pid, parent, os.getsid(pid))
        except OSError:  # it has gone, ps itself among them
            continue
