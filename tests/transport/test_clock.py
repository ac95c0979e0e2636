"""The clock goes on when cells have frozen that of `time`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minikernel.transport.clock import Clock

if TYPE_CHECKING:
    import pytest


def test_a_frozen_clock_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("monotonic", "time", "sleep"):
        assert getattr(Clock, name) is getattr(time, name)
        monkeypatch.setattr(time, name, lambda *_: 0.0)
    assert Clock.monotonic() > 0
    assert Clock.time() > 0
