"""What `make` says on machines that lack something, and what it takes for made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(minikernel.__file__).parent.parent

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or not (ROOT / "Makefile").exists(), reason="make is needed"
)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run make in a tree without sources."""
    for name in ("Makefile", "pyproject.toml", "minikernel/cli/kernelspec/kernel.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(
            ["make", *arguments],
            cwd=tmp_path,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )

    return run


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


Make = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.mark.parametrize("target", ["demo", "test", "check-all", "docs"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 127", "minikernel needs Python 3.10 or newer, and "),
        ('case "$*" in *version_info*) exit 1;; esac', "minikernel needs Python 3.10 or newer"),
        ('case "$*" in *ensurepip*) exit 1;; esac', "apt install python3-venv, or make PYTHON="),
    ],
    ids=["missing", "too old", "no ensurepip"],
)
def test_what_is_missing_is_said_in_one_line(
    make: Make, tmp_path: Path, target: str, script: str, said: str
) -> None:
    done = make(target, f"PYTHON={program(tmp_path / 'some python', script)}")
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert (done.returncode, done.stdout, len(ours)) == (2, "", 1)
    assert said in ours[0]
    assert not (tmp_path / ".venv").exists()


def test_what_was_cut_off_is_made_again(make: Make, tmp_path: Path) -> None:
    log = tmp_path / "log"
    python = program(tmp_path / "python", f'case "$2" in venv) echo "$@" >> "{log}";; esac')
    program(tmp_path / ".venv" / "bin" / "python", "exit 1")
    assert make("demo", f"PYTHON={python}").returncode != 0
    assert log.read_text() == "-m venv --clear .venv\n"
    assert not list((tmp_path / ".venv").glob(".stamp*"))


def test_what_works_is_kept(make: Make, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program(tmp_path / ".venv" / "bin" / "python", f'echo "$@" >> "{log}"')
    for _ in range(2):
        assert make("demo", f"PYTHON={program(tmp_path / 'python', 'exit 0')}").returncode == 0
    calls = [line for line in log.read_text().splitlines() if "install" in line or "demo" in line]
    assert [call.split()[-1] for call in calls] == [".[all]", "demo", "demo"]


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (5, 2), (1, 2)])
def test_slow_tests_that_fail_or_do_not_run_are_a_failure(
    make: Make, tmp_path: Path, code: int, ends: int
) -> None:
    python = '[ "$2" = pytest ] || exit 0\n' + f"echo summary; exit {code}"
    program(tmp_path / ".venv" / "bin" / "python", python)
    done = make("check-all", f"PYTHON={program(tmp_path / 'python', 'exit 0')}")
    assert done.returncode == ends
    assert "\nsummary\n" in done.stdout


def test_help_comes_first(make: Make) -> None:
    said = make().stdout
    assert said == make("help").stdout
    for target in ("demo", "test", "check-all", "nightly", "bench", "clean"):
        assert f"make {target} " in said
