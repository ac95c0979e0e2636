"""The command line as its users call it: a process, its output and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TIMEOUT = 90  # seconds for any one command


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a command: no connection file, history or kernelspec of it leaves the test."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "NO_COLOR"))}
    return {**kept, "JUPYTER_DATA_DIR": str(tmp_path / "data"), "PYTHONWARNINGS": "error"}


@pytest.fixture
def left_behind(tmp_path: Path) -> Callable[[], list[Path]]:
    """Connection files that are still there."""
    return lambda: list((tmp_path / "data").rglob("*.json"))


@pytest.fixture
def call(tmp_path: Path, environment: dict[str, str]) -> Callable[..., Said]:
    def run(*arguments: str, typed: str = "", env: Mapping[str, str] | None = None) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "minikernel", *arguments],
            cwd=tmp_path,
            env={**environment, **(env or {})},
            input=typed,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def refused(call: Callable[..., Said]) -> Callable[..., str]:
    """Call a command that must be refused with exit code 2; the line it says."""

    def run(*arguments: str, **options: Any) -> str:
        said = call(*arguments, **options)
        assert (said.code, said.out) == (2, ""), said
        assert said.err.count("\n") == 1, said.err
        return said.err.strip()

    return run
