"""Whose import it is: where the kernel's own imports look, and where those of cells do."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import minikernel
from minikernel.interpreter import imports
from minikernel.interpreter.importers import Importers

if TYPE_CHECKING:
    import pytest

OURS = str(Path(minikernel.__file__).parent / "kernel" / "x.py")
LIBRARY = str(Path(os.__file__).parent / "json.py")


def stack(*files: str) -> FrameType:
    """Frames of code in these files, the innermost first."""
    frame: Any = None
    for file in reversed(files):
        code = (lambda: None).__code__.replace(co_filename=file)
        frame = SimpleNamespace(f_code=code, f_back=frame, f_globals={})
    return cast("FrameType", frame)


def border() -> None:
    """Code of the user's may run below this."""


IMPORTERS = Importers(sys.path, [border])


def test_the_kernel_imports() -> None:
    assert IMPORTERS.asker(stack("<frozen importlib>", OURS)) == (True, False)


def test_a_library_imports_for_the_kernel() -> None:
    assert IMPORTERS.asker(stack(LIBRARY, OURS)) == (True, False)


def test_a_cell_imports() -> None:
    assert IMPORTERS.asker(stack("<cell 1>", OURS)) == (False, True)
    assert IMPORTERS.asker(stack(LIBRARY, "<cell 1>", OURS)) == (False, True)
    assert IMPORTERS.asker(stack("/home/ada/tools.py", OURS)) == (False, True)


def test_a_cell_has_the_kernel_import() -> None:
    assert IMPORTERS.asker(stack(OURS, "<uncounted cell 1>")) == (True, True)


def test_our_hooks_import_for_nobody() -> None:
    assert IMPORTERS.asker(stack(imports.__file__, "<cell 1>")) == (False, True)


def test_what_is_beyond_a_border_does_not_count() -> None:
    frame: Any = stack(OURS, LIBRARY, "<cell 1>")
    frame.f_back.f_code = border.__code__
    assert IMPORTERS.asker(frame) == (True, False)


def test_the_working_directory_is_not_on_our_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Importers(["", ".", str(tmp_path), "lib", "/opt/x"], []).path == ["/opt/x"]
    home = str(Path(os.__file__).parent)
    monkeypatch.chdir(home)
    assert Importers([home], []).path == [home]
