"""Kernels behind a reaper; none outlives its test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.behind import Behind, new_folder
from tests.bridge.protected import Protected

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


@pytest.fixture
def protect(tmp_path: Path) -> Iterator[Callable[..., Protected]]:
    """Start kernels behind bridges."""
    started: list[Protected] = []

    def start(*arguments: Any, name: str = "front", **fields: Any) -> Protected:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        started.append(Protected(directory, *arguments, **fields))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """One ipykernel behind a bridge for all tests of a module that don't harm it."""
    started = Protected(tmp_path_factory.mktemp("front"))
    yield started
    started.end()


@pytest.fixture
def raw(connect: Callable[..., Any]) -> Any:
    """The class of clients that say what a test wants."""
    return connect.__globals__["RawClient"]
