from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import pytest

from minikernel.interpreter.imports import after_import


@pytest.fixture
def module(tmp_path: Any, monkeypatch: Any) -> Any:
    (tmp_path / "guest.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    yield tmp_path / "guest.py"
    sys.modules.pop("guest", None)
    sys.meta_path[:] = before


@pytest.mark.usefixtures("module")
def test_the_callback_comes_once_after_the_import() -> None:
    seen = []
    after_import("guest", lambda guest: seen.append(guest.value))
    assert seen == []
    importlib.import_module("guest")
    assert seen == [1]
    importlib.reload(sys.modules["guest"])
    assert seen == [1]


@pytest.mark.usefixtures("module")
def test_the_hook_is_gone_after_its_use() -> None:
    before = list(sys.meta_path)
    after_import("guest", lambda _: None)
    guest = importlib.import_module("guest")
    assert sys.meta_path == before
    assert "exec_module" not in vars(guest.__loader__)


def test_a_module_that_is_there_gets_its_callback_at_once() -> None:
    seen = []
    before = list(sys.meta_path)
    after_import("sys", seen.append)
    assert seen == [sys]
    assert sys.meta_path == before


def test_find_spec_finds_and_does_not_use_the_hook_up(module: Any) -> None:
    seen = []
    after_import("guest", seen.append)
    spec = importlib.util.find_spec("guest")
    assert spec.origin == str(module)
    assert spec.loader.get_source("guest") == "value = 1\n"
    assert seen == []
    importlib.import_module("guest")
    assert len(seen) == 1


@pytest.mark.usefixtures("module")
def test_other_modules_and_missing_ones_are_as_ever() -> None:
    after_import("guest.missing", lambda _: None)
    assert importlib.util.find_spec("no_such_module_anywhere") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("guest.missing")


@pytest.mark.usefixtures("module")
def test_two_requests_for_one_module_are_both_served() -> None:
    seen = []
    after_import("guest", lambda _: seen.append("a"))
    after_import("guest", lambda _: seen.append("b"))
    importlib.import_module("guest")
    assert sorted(seen) == ["a", "b"]


def test_a_failed_import_does_not_use_the_hook_up(module: Any) -> None:
    seen = []
    after_import("guest", seen.append)
    module.write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("guest")
    assert seen == []
    module.write_text("value = 22  # longer")
    importlib.invalidate_caches()
    importlib.import_module("guest")
    assert len(seen) == 1


@pytest.mark.usefixtures("module")
def test_a_request_can_be_taken_back() -> None:
    seen = []
    after_import("guest", seen.append)()
    importlib.import_module("guest")
    assert seen == []
