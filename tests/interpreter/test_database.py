"""IPython's history database."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from minikernel.interpreter.database import Database

if TYPE_CHECKING:
    from pathlib import Path

ALL = "SELECT session, line, source_raw FROM history ORDER BY session, line"


def test_each_session_has_a_number(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.sqlite"
    for number in (1, 2):
        database = Database(path)
        assert database.session.number == number
        database.insert([(1, f"cell of {number}")], [])
        database.end()
    database = Database(path)
    assert database.query(ALL) == [(1, 1, "cell of 1"), (2, 1, "cell of 2")]
    counted = "SELECT num_cmds FROM sessions WHERE end IS NOT NULL"
    assert database.query(counted) == [(1,), (1,)]
    database.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_session_is_taken_up_again(tmp_path: Path) -> None:
    first = Database(tmp_path / "history.sqlite")
    first.insert([(1, "x")], [(1, "3")])
    first.close()
    again = Database(tmp_path / "history.sqlite", first.session)
    assert again.session == first.session
    again.insert([(1, "y")], [(1, "4")])
    assert again.lines() == ([(1, "y")], [(1, "4")])
    again.close()
    elsewhere = Database(tmp_path / "another.sqlite", first.session._replace(start="never"))
    assert elsewhere.query(ALL) == []
    elsewhere.close()


def test_text_that_sqlite_can_t_store_is_replaced() -> None:
    database = Database(None)
    assert database.is_in_memory
    database.insert([(1, "half \ud800")], [])
    assert database.lines() == ([(1, "half ?")], [])
    database.close()


def test_what_is_in_memory_forgets_its_first_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minikernel.interpreter.database.MOST_PAGES", 40)
    database = Database(None)
    for line in range(1, 101):
        database.insert([(line, "x" * 2000)], [(line, "y")])
    sources, outputs = database.lines()
    assert sources[-1][0] == outputs[-1][0] == 100
    assert 0 < sources[0][0] - 1 < 100
    assert len(sources) == len(outputs)
    database.close()


def test_another_process_that_writes_passes(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    database = Database(path)
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Database.TROUBLE) as caught:
            database.insert([(1, "x")], [])
    other.close()
    assert Database.is_passing(caught.value)
    assert not Database.is_passing(sqlite3.DatabaseError("file is not a database"))
    database.insert([(1, "x")], [])
    database.close()
