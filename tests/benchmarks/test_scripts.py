"""Each benchmark runs and prints its table; no figure is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = (
    *("kernels", "start", "stages", "gains", "client", "schemes"),
    *("clients", "sizes", "buffers", "steady", "fire"),
)


def run(name: str, *options: str) -> str:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_the_suite_writes_a_page_of_all_of_them(tmp_path: Path) -> None:
    run("suite", "--quick", "--out", str(tmp_path))
    page = (tmp_path / "benchmarks.md").read_text()
    assert "Failed" not in page
    assert "not measured" in page  # other kernels are left out
    for name in NAMES:
        assert f"`python benchmarks/{name}.py`" in page
    assert page.count("\n|---|") > len(NAMES)
    pictures = {path.name for path in (tmp_path / "benchmarks").iterdir()}
    assert pictures == {f"{name}.svg" for name in pictures_in(page)}


def pictures_in(page: str) -> list[str]:
    return [part.partition(".svg")[0] for part in page.split("(benchmarks/")[1:]]


def test_many_requests_of_many_clients_are_all_answered_once_and_in_order() -> None:
    assert "lost, doubled or out of order: none." in run("many", "--quick")


@pytest.mark.slow
def test_two_checkouts_are_compared_in_turn() -> None:
    assert "| rss after start, MB |" in run("against", "--quick", sys.executable)


def test_many_kernels_at_once() -> None:
    assert "all up after" in run("hundred", "--quick")


def test_soak() -> None:
    assert "| cells | rss, MB | p50, us | p99, us | incomplete |" in run("soak", "--quick")


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_minutes_of_cells_all_complete() -> None:
    assert "; 0 cells without all of their outputs" in run("soak")
