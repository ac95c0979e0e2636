"""IPython's history database, in a file or in memory."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

    Lines = list[tuple[int, str]]  # numbers of cells, and their sources or outputs

CACHE = 256  # KiB of pages that sqlite keeps in memory; its default is 2,000
MOST_PAGES = 8192  # of 4 KiB, that a database in memory has

# IPython.core.history.HistoryAccessor.init_db
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sessions (session integer primary key autoincrement,
       start timestamp, end timestamp, num_cmds integer, remark text)""",
    """CREATE TABLE IF NOT EXISTS history (session integer, line integer,
       source text, source_raw text, PRIMARY KEY (session, line))""",
    """CREATE TABLE IF NOT EXISTS output_history (session integer, line integer,
       output text, PRIMARY KEY (session, line))""",
)


class Session(NamedTuple):
    """A row of the table of sessions."""

    number: int
    start: str


class Database:
    """An open database, and a session in it. Every method may raise TROUBLE.

    Args:
        path: of the file, made if it is missing; None for memory, where the older half is
            forgotten when there is no room left.
        session: to go on with if the file still has it; None for a new one.
        patience: seconds to wait for another process that writes.
    """

    TROUBLE = (sqlite3.Error, OSError, UnicodeError)  # what a file that can't be used raises

    def __init__(
        self, path: pathlib.Path | None, session: Session | None = None, *, patience: float = 0.0
    ) -> None:
        self.is_in_memory = path is None
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        name = ":memory:" if path is None else str(path)
        self._connection = sqlite3.connect(name, timeout=patience, check_same_thread=False)
        try:
            self._connection.execute(f"PRAGMA cache_size = -{CACHE}")
            if path is None:
                self._connection.execute(f"PRAGMA max_page_count = {MOST_PAGES}")
            with self._connection:
                self.session = self._begin(session)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self, session: Session | None) -> Session:
        for statement in _SCHEMA:
            self._connection.execute(statement)
        known = "SELECT 1 FROM sessions WHERE session = ? AND start = ?"
        if session is not None and self.query(known, session):
            return session
        start = time.strftime("%Y-%m-%d %H:%M:%S")
        insert = "INSERT INTO sessions (start) VALUES (?)"
        return Session(self._connection.execute(insert, (start,)).lastrowid or 0, start)

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """The rows that a SELECT finds."""
        return self._connection.execute(statement, values).fetchall()

    def insert(self, sources: Lines, outputs: Lines) -> None:
        """Add cells to the session, all or none."""
        try:
            self._insert(sources, outputs)
        except sqlite3.OperationalError:
            if not self.is_in_memory:
                raise
            self._forget_half()
            self._insert(sources, outputs)

    def _insert(self, sources: Lines, outputs: Lines) -> None:
        number = self.session.number
        with self._connection as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)",
                [(number, line, text, text) for line, text in _storable(sources)],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO output_history VALUES (?, ?, ?)",
                [(number, line, text) for line, text in _storable(outputs)],
            )

    def _forget_half(self) -> None:
        middle = "(SELECT (min(line) + max(line)) / 2 FROM history)"
        with self._connection as connection:
            for table in ("output_history", "history"):
                connection.execute(f"DELETE FROM {table} WHERE line <= {middle}")  # noqa: S608 - constants

    def lines(self) -> tuple[Lines, Lines]:
        """All sources and outputs; of a database in memory."""
        return (
            self.query("SELECT line, source_raw FROM history ORDER BY line"),
            self.query("SELECT line, output FROM output_history ORDER BY line"),
        )

    def wait_for_others(self, patience: float) -> None:
        """Wait so many seconds, from now on, for another process that writes."""
        self._connection.execute(f"PRAGMA busy_timeout = {1000 * patience:.0f}")

    def end(self) -> None:
        """Note that the session has ended, and close."""
        count = "(SELECT count(*) FROM history WHERE session = ?)"
        update = f"UPDATE sessions SET end = ?, num_cmds = {count} WHERE session = ?"  # noqa: S608 - as above
        number, now = self.session.number, time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            with self._connection:
                self._connection.execute(update, (now, number, number))
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @staticmethod
    def is_passing(error: BaseException) -> bool:
        """Whether it may work in a moment: another process holds the file's lock."""
        text = str(error) if isinstance(error, sqlite3.OperationalError) else ""
        return "locked" in text or "busy" in text


def _storable(rows: Lines) -> Lines:
    """Replace lone surrogates, which sqlite cannot store."""
    return [(line, text.encode("utf-8", "replace").decode()) for line, text in rows]
