from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from minikernel.transport.birth import started

if TYPE_CHECKING:
    import pytest

TICK = 0.01  # seconds


def test_it_is_before_the_first_line_ran() -> None:
    before = time.time()
    code = (
        "import time; first = time.time()\nfrom minikernel.transport.birth import started\n"
        "while time.time() < first + 0.1: pass\n"  # much later than its first line
    )
    child = subprocess.Popen(
        [sys.executable, "-c", f"{code}print(started(), first)"], stdout=subprocess.PIPE, text=True
    )
    said, first = map(float, child.communicate()[0].split())
    assert before - TICK <= said <= first + TICK


def test_it_does_not_change() -> None:
    assert abs(started() - started()) < TICK


def test_where_the_system_does_not_tell_it_is_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = started()
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert exact - TICK <= started() <= time.time()
