"""What was run before: IPython's history database, written in batches."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

    from minikernel.interpreter.database import Database, Session

Entry = tuple[int, int, Any]  # session, line, source or (source, output)

LONGEST_OUTPUT = 8192  # characters of a value's text that are kept
LONGEST_PATTERN = (
    50_000  # bytes of a pattern, sqlite's own limit (SQLITE_LIMIT_LIKE_PATTERN_LENGTH)
)
UNWRITTEN = 1000  # cells kept in plain memory before they move to a database in memory
RETRY = 2.0  # seconds until a file that could not be written is tried again
PATIENCE = 0.05  # seconds to wait for another kernel that writes: meanwhile control waits as well
STAYS = 60.0  # seconds that the file may be locked before that is a problem: kernels may be many
LAST_PATIENCE = 2.0  # seconds, at the end

_SELECT = """SELECT session, line, source_raw, output FROM history
             LEFT JOIN output_history USING (session, line) """


class History:
    """The history of this session, and of earlier ones if there is a file.

    A file that cannot be used costs a `problem`, never an exception: the session's own history
    then lives in memory, bounded, and moves into the file once that can be written.

    Args:
        path: The database, shared with other kernels; None for memory only.
    """

    def __init__(self, path: pathlib.Path | None) -> None:
        self.problem: str | None = None
        self._path = path
        self._sources: deque[tuple[int, str]] = deque()
        self._outputs: deque[tuple[int, str]] = deque()
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._written: Session | None = None  # in the file
        self._retry_at = 0.0  # of the monotonic clock: when to try the file again
        self._patience = PATIENCE
        self._locked_since: float | None = None  # of the monotonic clock
        self._now, self._getpid = time.monotonic, os.getpid  # whatever a cell puts there
        self._pid = os.getpid()

    def add(self, line: int, source: str) -> None:
        """Note cell number `line`; nothing is written yet."""
        self._sources.append((line, source))

    def add_output(self, line: int, text: str) -> None:
        """Note the text of the value of cell number `line`."""
        self._outputs.append((line, text[:LONGEST_OUTPUT]))

    def save(self) -> None:
        """Write what is pending, if nobody else uses the file. From any thread; never raises."""
        if self._path is None and len(self._sources) < UNWRITTEN:
            return
        if self._lock.acquire(blocking=False):
            try:
                self._save()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Write what is pending, end the session and close the file."""
        if not self._is_ours():
            return
        with self._lock:
            self._retry_at, self._patience = 0.0, LAST_PATIENCE
            if self._database is not None:
                self._database.wait_for_others(self._patience)
            if self._path is not None:
                self._save()
            database, self._database = self._database, None
            if database is not None:
                self._end(database)

    def past(
        self,
        access: str,
        *,
        output: bool,
        session: int,
        start: int,
        stop: int | None,
        n: int | None,
        pattern: str,
        unique: bool,
    ) -> list[Entry]:
        """Return what a history_request asks for; the spec's fields, by their names."""
        if access == "range":
            found = self.range(session, start, stop)
        elif access == "search":
            found = self.search(pattern, n, unique=unique)
        else:
            found = self.tail(10 if n is None else n)
        return found if output else [(where, line, both[0]) for where, line, both in found]

    def tail(self, n: int) -> list[Entry]:
        """Return the last `n` cells of all sessions as (session, line, (source, output))."""
        rows = self._query(f"{_SELECT} ORDER BY session DESC, line DESC LIMIT ?", (n,))
        return rows[::-1]

    def range(self, session: int, start: int, stop: int | None) -> list[Entry]:
        """Return the cells `start` <= line < `stop` of one session.

        Args:
            session: Its number; 0 is this session, -1 the one before.
            start: The first line.
            stop: The line after the last; None for all.
        """
        last = -1 if stop is None else stop
        where = "WHERE session = ? AND line >= ? AND (? < 0 OR line < ?) ORDER BY line"
        return self._query(_SELECT + where, (session, start, last, last), relative=True)

    def search(self, pattern: str, n: int | None, *, unique: bool) -> list[Entry]:
        """Return the last `n` cells that match a glob pattern, oldest first.

        Args:
            pattern: As of sqlite's GLOB: `*`, `?` and `[...]`.
            n: How many at most; None for all.
            unique: Whether a source is returned only once, where it was last used.
        """
        asked = pattern.encode("utf-8", "replace")  # as lone surrogates are stored
        if len(asked) > LONGEST_PATTERN:
            return []
        where = "WHERE source_raw GLOB ? "
        if unique:
            where += "GROUP BY source_raw HAVING session * 1000000000 + line = "
            where += "MAX(session * 1000000000 + line) "
        where += "ORDER BY session DESC, line DESC LIMIT ?"
        rows = self._query(_SELECT + where, (asked.decode(), -1 if n is None else n))
        return rows[::-1]

    def _save(self) -> None:
        if self._sources or self._outputs:
            self._write()
        if self._is_out_of_file and self._now() > self._retry_at:
            self._move_into_file()

    def _query(
        self, statement: str, values: Sequence[object], *, relative: bool = False
    ) -> list[Entry]:
        with self._lock:
            self._write()
            if (database := self._database) is None:
                return []
            if relative and isinstance(values[0], int) and values[0] <= 0:
                values = (database.session.number + values[0], *values[1:])
            try:
                rows = database.query(statement, values)
            except OverflowError:  # beyond 64 bits: there is no such session or line
                return []
            except database.TROUBLE as error:
                self._note(error)
                return []
        return [(session, line, (source, output)) for session, line, source, output in rows]

    def _write(self) -> None:
        """Move what is pending into the database, in one transaction."""
        if not self._is_ours():
            return
        try:
            kind = _kind()
        except (ImportError, OSError) as error:  # Python without sqlite, or no descriptor is left
            self.problem = str(error)
            _shorten(self._sources, self._outputs)
            return
        sources, outputs = _drained(self._sources), _drained(self._outputs)
        try:
            self._connected().insert(sources, outputs)
        except kind.TROUBLE as error:
            self._note(error)
            if self._is_in_memory:  # the cells have no room there either: they are dropped
                return
            if not kind.is_passing(error) or len(sources) > UNWRITTEN:
                self._move_into_memory()
            self._sources.extendleft(reversed(sources))
            self._outputs.extendleft(reversed(outputs))
            if self._is_in_memory:
                self._write()
        else:
            if not self._is_out_of_file:
                self._note(None)

    def _note(self, error: Exception | None) -> None:
        """Say what is wrong; that another kernel writes only if it does so for long."""
        if error is None or not _kind().is_passing(error):
            self._locked_since = None
            self.problem = None if error is None else str(error)
            return
        now = self._now()
        if self._locked_since is None:
            self._locked_since = now
        if now - self._locked_since > STAYS:
            self.problem = str(error)

    @property
    def _is_in_memory(self) -> bool:
        return self._database is not None and self._database.is_in_memory

    @property
    def _is_out_of_file(self) -> bool:
        """Whether it is in memory, and should not be."""
        return self._path is not None and self._is_in_memory

    def _connected(self) -> Database:
        if self._database is None:
            self._database = _kind()(self._path, patience=self._patience)
            self._written = self._database.session
        return self._database

    def _move_into_memory(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = _kind()(None)
        self._retry_at = self._now() + RETRY

    def _move_into_file(self) -> None:
        """Write what has come together in memory, or try again later."""
        memory = self._database
        if memory is None or not self._is_ours():
            return
        try:
            file = type(memory)(self._path, self._written, patience=self._patience)
            self._written = file.session
            try:
                file.insert(*memory.lines())
            except BaseException:
                file.close()
                raise
        except memory.TROUBLE as error:
            self._note(error)
            self._retry_at = self._now() + RETRY
        else:
            memory.close()
            self._database = file
            self._note(None)

    def _end(self, database: Database) -> None:
        try:
            database.end()
        except database.TROUBLE as error:
            self.problem = str(error)

    def _is_ours(self) -> bool:
        """Whether this is the process that opened the file: sqlite does not survive a fork."""
        return self._getpid() == self._pid


def _kind() -> type[Database]:
    from minikernel.interpreter.database import Database  # 6 ms that most sessions never need

    return Database


def _drained(queue: deque[tuple[int, str]]) -> list[tuple[int, str]]:
    return [queue.popleft() for _ in range(len(queue))]


def _shorten(*queues: deque[tuple[int, str]]) -> None:
    """Forget the oldest of what can't be written anywhere."""
    for queue in queues:
        while len(queue) > UNWRITTEN:
            queue.popleft()
