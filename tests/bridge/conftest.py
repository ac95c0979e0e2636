"""Kernels behind a reaper; none outlives its test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.behind import Behind, new_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def behind() -> Iterator[Callable[..., Behind]]:
    """Start a command behind a reaper."""
    started: list[Behind] = []

    def start(*argv: str, folder: Path | None = None) -> Behind:
        started.append(Behind(folder or new_folder(), argv))
        return started[-1]

    yield start
    for each in started:
        each.end()
