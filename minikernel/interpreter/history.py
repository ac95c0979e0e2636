"""What was run before: IPython's history database, written in batches."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pathlib
    import sqlite3
    from collections.abc import Sequence

Entry = tuple[int, int, Any]  # session, line, source or (source, output)

BUSY_TIMEOUT = 2.0  # seconds to wait for another kernel that writes
LONGEST_OUTPUT = 8192  # characters of a value's text that are kept
LONGEST_PATTERN = (
    50_000  # bytes of a pattern, sqlite's own limit (SQLITE_LIMIT_LIKE_PATTERN_LENGTH)
)
CACHE = 256  # KiB of pages that sqlite keeps in memory; its default is 2,000
UNWRITTEN = 1000  # cells kept in plain memory before they move to a database in memory

# IPython.core.history.HistoryAccessor.init_db
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sessions (session integer primary key autoincrement,
       start timestamp, end timestamp, num_cmds integer, remark text)""",
    """CREATE TABLE IF NOT EXISTS history (session integer, line integer,
       source text, source_raw text, PRIMARY KEY (session, line))""",
    """CREATE TABLE IF NOT EXISTS output_history (session integer, line integer,
       output text, PRIMARY KEY (session, line))""",
)
_SELECT = """SELECT session, line, source_raw, output FROM history
             LEFT JOIN output_history USING (session, line) """


class History:
    """The history of this session, and of earlier ones if there is a file.

    A file that cannot be used costs a `problem`, never an exception: the session's own history
    then lives in memory.

    Args:
        path: The database, shared with other kernels; None for memory only.
    """

    def __init__(self, path: pathlib.Path | None) -> None:
        self.problem: str | None = None
        self._path = path
        self._sources: deque[tuple[int, str]] = deque()
        self._outputs: deque[tuple[int, str]] = deque()
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._session = 0
        self._pid = os.getpid()

    def add(self, line: int, source: str) -> None:
        """Note cell number `line`; nothing is written yet."""
        self._sources.append((line, source))

    def add_output(self, line: int, text: str) -> None:
        """Note the text of the value of cell number `line`."""
        self._outputs.append((line, text[:LONGEST_OUTPUT]))

    def save(self) -> None:
        """Write what is pending. From any thread; never raises."""
        if self._path is None and len(self._sources) < UNWRITTEN:
            return
        if self._sources or self._outputs:
            with self._lock:
                self._write()

    def close(self) -> None:
        """Write what is pending, end the session and close the file."""
        self.save()
        with self._lock:
            database, self._database = self._database, None
            if database is not None and self._is_ours():
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
        if len(pattern.encode("utf-8", "replace")) > LONGEST_PATTERN:
            return []
        where = "WHERE source_raw GLOB ? "
        if unique:
            where += "GROUP BY source_raw HAVING session * 1000000000 + line = "
            where += "MAX(session * 1000000000 + line) "
        where += "ORDER BY session DESC, line DESC LIMIT ?"
        rows = self._query(_SELECT + where, (pattern, -1 if n is None else n))
        return rows[::-1]

    def _query(
        self, statement: str, values: Sequence[object], *, relative: bool = False
    ) -> list[Entry]:
        import sqlite3  # noqa: PLC0415 - 6 ms that most sessions never need

        with self._lock:
            self._write()
            if self._database is None:
                return []
            if relative and isinstance(values[0], int) and values[0] <= 0:
                values = (self._session + values[0], *values[1:])
            try:
                rows = self._database.execute(statement, values).fetchall()
            except OverflowError:  # beyond 64 bits: there is no such session or line
                return []
            except sqlite3.Error as error:
                self.problem = str(error)
                return []
        return [(session, line, (source, output)) for session, line, source, output in rows]

    def _write(self) -> None:
        """Move what is pending into the database, in one transaction."""
        import sqlite3  # noqa: PLC0415 - as above

        if not self._is_ours():
            return
        sources, outputs = _drained(self._sources), _drained(self._outputs)
        try:
            self._insert(self._connected(), sources, outputs)
        except (sqlite3.Error, OSError, UnicodeError) as error:
            self.problem = str(error)
            if not _is_passing(error) and self._path is not None:
                self._move_into_memory()
                self._insert(self._connected(), sources, outputs)
            else:
                self._sources.extendleft(reversed(sources))
                self._outputs.extendleft(reversed(outputs))

    def _move_into_memory(self) -> None:
        if self._database is not None:
            self._database.close()
        self._path = self._database = None

    def _insert(
        self,
        database: sqlite3.Connection,
        sources: list[tuple[int, str]],
        outputs: list[tuple[int, str]],
    ) -> None:
        with database:
            database.executemany(
                "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)",
                [(self._session, line, text, text) for line, text in _storable(sources)],
            )
            database.executemany(
                "INSERT OR REPLACE INTO output_history VALUES (?, ?, ?)",
                [(self._session, line, text) for line, text in _storable(outputs)],
            )

    def _connected(self) -> sqlite3.Connection:
        if self._database is None:
            database = _open(self._path)
            try:
                with database:
                    self._session = _begin_session(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _end(self, database: sqlite3.Connection) -> None:
        import sqlite3  # noqa: PLC0415 - as above

        try:
            with database:
                database.execute(
                    "UPDATE sessions SET end = ?, num_cmds = (SELECT count(*) FROM history"
                    " WHERE session = ?) WHERE session = ?",
                    (_now(), self._session, self._session),
                )
        except sqlite3.Error as error:
            self.problem = str(error)
        finally:
            database.close()

    def _is_ours(self) -> bool:
        """Whether this is the process that opened the file: sqlite does not survive a fork."""
        return os.getpid() == self._pid


def _open(path: pathlib.Path | None) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415 - as above

    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    name = ":memory:" if path is None else str(path)
    database = sqlite3.connect(name, timeout=BUSY_TIMEOUT, check_same_thread=False)
    database.execute(f"PRAGMA cache_size = -{CACHE}")
    return database


def _begin_session(database: sqlite3.Connection) -> int:
    for statement in _SCHEMA:
        database.execute(statement)
    cursor = database.execute("INSERT INTO sessions (start) VALUES (?)", (_now(),))
    return cursor.lastrowid or 0


def _is_passing(error: Exception) -> bool:
    """Whether it may work the next time: another process holds the file's lock."""
    return "locked" in str(error) or "busy" in str(error)


def _drained(queue: deque[tuple[int, str]]) -> list[tuple[int, str]]:
    return [queue.popleft() for _ in range(len(queue))]


def _storable(rows: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Replace lone surrogates, which sqlite cannot store."""
    return [(line, text.encode("utf-8", "replace").decode()) for line, text in rows]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
