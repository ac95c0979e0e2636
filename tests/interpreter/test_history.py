from __future__ import annotations

import os
import sqlite3
import stat
import threading
from typing import Any

import pytest

from minikernel.interpreter.history import LONGEST_OUTPUT, STAYS, UNWRITTEN, History


@pytest.fixture
def file(tmp_path: Any) -> Any:
    return tmp_path / "deep" / "history.sqlite"


def filled(path: Any, *sources: Any) -> Any:
    history = History(path)
    for line, source in enumerate(sources, 1):
        history.add(line, source)
    return history


def sources(entries: Any) -> Any:
    return [source for _, _, (source, _) in entries]


def test_nothing_is_opened_before_it_is_needed(file: Any) -> None:
    history = filled(file, "a")
    assert not file.exists()
    history.close()
    assert file.exists()


def test_a_session_that_ran_nothing_leaves_no_trace(file: Any) -> None:
    History(file).close()
    assert not file.exists()


def test_what_was_saved_is_read_by_the_next_session(file: Any) -> None:
    filled(file, "a = 1", "a").close()
    later = filled(file, "b")
    assert later.tail(2) == [(1, 2, ("a", None)), (2, 1, ("b", None))]
    later.close()


def test_the_file_is_ipythons(file: Any) -> None:
    history = filled(file, "a", "b")
    history.add_output(2, "'b'")
    history.close()
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT session, line, source, source_raw FROM history").fetchall()
        outputs = database.execute("SELECT * FROM output_history").fetchall()
        count = database.execute("SELECT num_cmds, end IS NOT NULL FROM sessions").fetchall()
    database.close()
    assert rows == [(1, 1, "a", "a"), (1, 2, "b", "b")]
    assert outputs == [(1, 2, "'b'")]
    assert count == [(2, 1)]


def test_ipython_reads_it(file: Any) -> None:
    manager = pytest.importorskip("IPython.core.history")
    filled(file, "from ours").close()
    accessor = manager.HistoryAccessor(hist_file=str(file))
    try:
        assert list(accessor.get_tail(5, include_latest=True)) == [(1, 1, "from ours")]
        assert accessor.get_session_info(1)[3] == 1
    finally:
        accessor.db.close()


def test_only_the_owner_may_read_the_file(file: Any) -> None:
    filled(file, "secret").close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_kernels_write_one_file(file: Any) -> None:
    one, two = filled(file, "one"), filled(file, "two")
    one.save()
    two.save()
    one.add(2, "one more")
    one.save()
    assert sources(two.tail(9)) == ["one", "one more", "two"]
    one.close()
    two.close()


def test_a_range_of_this_an_earlier_and_a_named_session(file: Any) -> None:
    filled(file, "a", "b", "c").close()
    history = filled(file, "d", "e")
    assert sources(history.range(0, 1, None)) == ["d", "e"]
    assert sources(history.range(-1, 2, 4)) == ["b", "c"]
    assert sources(history.range(1, 1, 2)) == ["a"]
    assert history.range(99, 0, None) == []
    history.close()


def test_search_takes_a_glob_and_gives_the_last_ones(file: Any) -> None:
    history = filled(file, "import os", "x = 1", "import sys", "import os")
    assert sources(history.search("import*", None, unique=False)) == [
        "import os",
        "import sys",
        "import os",
    ]
    assert sources(history.search("import*", 1, unique=False)) == ["import os"]
    assert sources(history.search("*", 2, unique=False)) == ["import sys", "import os"]
    history.close()


def test_search_can_show_each_source_once_where_it_was_last(file: Any) -> None:
    history = filled(file, "a", "b", "a")
    found = history.search("*", None, unique=True)
    assert [(line, both[0]) for _, line, both in found] == [(2, "b"), (3, "a")]
    history.close()


def test_an_output_belongs_to_its_line_and_is_bounded() -> None:
    history = filled(None, "a", "b")
    history.add_output(2, "x" * 100_000)
    (_, _, first), (_, _, second) = history.tail(5)
    assert first == ("a", None)
    assert second == ("b", "x" * LONGEST_OUTPUT)
    history.close()


def test_an_output_may_come_after_its_cell_was_saved(file: Any) -> None:
    history = filled(file, "a")
    history.save()
    history.add_output(1, "1")
    assert history.tail(1) == [(1, 1, ("a", "1"))]
    history.close()


def test_without_a_file_it_lives_in_memory(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    history = filled(None, *"abc")
    history.save()
    assert sources(history.tail(2)) == ["b", "c"]
    assert sources(history.range(0, 0, None)) == ["a", "b", "c"]
    history.close()
    assert list(tmp_path.iterdir()) == []


def test_many_cells_without_a_file_move_out_of_plain_memory() -> None:
    history = filled(None, *map(str, range(UNWRITTEN)))
    history.save()
    assert len(history._sources) == 0
    assert sources(history.tail(1)) == [str(UNWRITTEN - 1)]
    history.close()


@pytest.mark.parametrize("content", [b"not a database, for sure" * 100, b"SQLite format 3\0" * 99])
def test_a_corrupt_file_is_left_alone_and_named(file: Any, content: Any) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    history = filled(file, "a")
    history.save()
    assert history.problem
    history.add(2, "b")
    assert sources(history.tail(5)) == ["a", "b"]
    history.close()
    assert file.read_bytes() == content


def test_a_foreign_schema_is_left_alone(file: Any) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE history (other text)")
    database.close()
    history = filled(file, "a")
    assert sources(history.tail(1)) == ["a"]
    assert history.problem
    history.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    history = filled(tmp_path / "file" / "history.sqlite", "a")
    history.save()
    assert history.problem
    assert sources(history.tail(1)) == ["a"]
    history.close()


def test_a_path_that_is_no_file_is_named(tmp_path: Any) -> None:
    (tmp_path / "history.sqlite").mkdir()
    history = filled(tmp_path / "history.sqlite", "a")
    history.close()
    assert history.problem


def test_a_full_disk_is_named_and_the_session_goes_on(file: Any) -> None:
    history = filled(file, "a")
    history.save()
    history._database._connection.execute("PRAGMA max_page_count = 1")
    history.add(2, "x" * 100_000)
    history.save()
    assert "full" in history.problem
    assert "x" * 100_000 in sources(history.tail(5))
    history.close()


def test_what_was_kept_in_memory_moves_into_the_file_when_there_is_room(tmp_path: Any) -> None:
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    history = filled(folder / "history.sqlite", "a", "b")
    history.add_output(2, "'b'")
    history.save()
    assert history.problem
    folder.unlink()
    history.add(3, "c")
    history.close()
    assert history.problem is None
    later = History(folder / "history.sqlite")
    assert later.range(1, 1, None) == [
        (1, 1, ("a", None)),
        (1, 2, ("b", "'b'")),
        (1, 3, ("c", None)),
    ]
    later.close()


def test_after_a_full_disk_the_session_goes_on_under_its_number(file: Any) -> None:
    filled(file, "earlier").close()
    history = filled(file, "a")
    history.save()
    history._database._connection.execute("PRAGMA max_page_count = 1")
    history.add(2, "x" * 100_000)
    history.save()
    assert history.problem
    history.add(3, "c")
    history.close()
    later = History(file)
    assert sources(later.range(2, 1, None)) == ["a", "x" * 100_000, "c"]
    assert sources(later.tail(9)) == ["earlier", "a", "x" * 100_000, "c"]
    later.close()


def test_memory_is_bounded_and_the_last_cells_are_kept() -> None:
    history = History(None)
    for line in range(1, 101):
        history.add(line, f"{line} " + "x" * 1_000_000)
        history.tail(1)  # writes it
    kept = [line for _, line, _ in history.range(0, 0, None)]
    assert kept == [*range(kept[0], 101)]
    assert 8 <= len(kept) <= 33
    history.close()


def test_a_cell_that_is_too_large_for_the_memory_does_not_stop_the_next() -> None:
    history = filled(None, "a", "x" * 40_000_000)
    assert history.tail(5) == []
    history.add(3, "c")
    assert sources(history.tail(5)) == ["c"]
    history.close()


def test_a_locked_file_is_tried_again(file: Any) -> None:
    history = filled(file, "a")
    history.save()
    other = sqlite3.connect(file)
    other.execute("BEGIN EXCLUSIVE")
    history.add(2, "b")
    history.save()
    assert history.problem is None  # many kernels write; it is a problem only if it stays
    history._locked_since -= STAYS
    history.save()
    assert "locked" in history.problem
    other.rollback()
    other.close()
    assert sources(history.tail(5)) == ["a", "b"]
    assert history.problem is None
    history.close()


def test_the_end_waits_for_another_that_writes(file: Any) -> None:
    history = filled(file, "a")
    history.save()
    other = sqlite3.connect(file, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    history.add(2, "b")
    history.save()
    assert history._locked_since is not None
    release = threading.Timer(0.3, other.rollback)  # much longer than a save waits
    release.start()
    history.close()
    release.join()
    assert other.execute("SELECT source FROM history").fetchall() == [("a",), ("b",)]
    other.close()


def test_saving_in_another_thread_loses_nothing(file: Any) -> None:
    history = History(file)
    stop = threading.Event()

    def save() -> None:
        while not stop.is_set():
            history.save()

    thread = threading.Thread(target=save)
    thread.start()
    for line in range(1, 2001):
        history.add(line, f"{line}")
    stop.set()
    thread.join()
    assert len(history.tail(5000)) == 2000
    history.close()


def test_a_forked_child_does_not_touch_the_file(file: Any) -> None:
    history = filled(file, "a")
    history.save()
    history.add(2, "b")
    pid = os.fork()
    if not pid:
        history.save()
        history.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert sources(history.tail(5)) == ["a", "b"]
    history.close()


def test_a_pattern_with_a_lone_surrogate_is_no_problem_of_the_file() -> None:
    history = filled(None, "'\ud800'")
    assert len(history.search("*\ud800*", None, unique=False)) == 1
    assert history.problem is None
    history.close()


def test_lone_surrogates_are_stored_replaced() -> None:
    history = filled(None, "'\ud800'")
    assert sources(history.tail(1)) == ["'?'"]
    history.close()


@pytest.mark.parametrize("number", [-(2**70), 2**70])
def test_absurd_numbers_find_nothing(number: Any) -> None:
    history = filled(None, "a")
    assert history.range(number, 0, None) == []
    assert history.tail(number) == []
    history.close()
