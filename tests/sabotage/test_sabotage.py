"""Each guard and each mend is taken out, and its test must fail: a check that can't fail is none.

Beside this file: `ROWS` of (what it is, file, text there, text instead, test). The text stands in
the file exactly once; what stands instead is the code without the guard. Each row gets a copy of
the project of its own, in which its test runs alone, in a process of its own.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("minikernel", "tests", "pyproject.toml")
FAILED = 1  # pytest's exit code for tests that failed; others mean that none ran
Row = tuple[str, str, str, str, str]
ROWS: list[Row] = [
    row
    for table in sorted(Path(__file__).parent.glob("[!t]*.py"))
    for row in runpy.run_path(str(table))["ROWS"]
]


def project(copy: Path) -> None:
    for entry in ROOT.iterdir():
        if entry.name in COPIED and entry.is_dir():
            shutil.copytree(entry, copy / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.name in COPIED:
            shutil.copy(entry, copy)
        elif not entry.name.startswith("."):
            (copy / entry.name).symlink_to(entry)


def run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=90", *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_is_taken_out_is_there_once(row: Row) -> None:
    _, name, text, _, test = row
    assert (ROOT / name).read_text().count(text) == 1
    assert (ROOT / test.partition("::")[0]).exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_tests_pass_in_a_copy_as_it_is(tmp_path: Path) -> None:
    project(tmp_path)
    done = run(tmp_path, *sorted({row[4] for row in ROWS}))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_its_test_fails_without(row: Row, tmp_path: Path) -> None:
    _, name, text, instead, test = row
    project(tmp_path)
    source = (tmp_path / name).read_text()
    (tmp_path / name).write_text(source.replace(text, instead))
    done = run(tmp_path, "-x", test)
    assert done.returncode == FAILED, f"it passes without:\n{done.stdout[-3000:]}{done.stderr}"
