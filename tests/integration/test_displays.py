"""Whatever objects say of themselves: what nbclient and exec store is a valid notebook."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from pathlib import Path

UGLY = """
from decimal import Decimal
from unittest.mock import MagicMock
FORMS = [5, None, True, b"\\xff", "\\ud800", ["a", "b"], ("a", {"m": 1}), ("a", 5), (1, 2, 3), {1},
         {None: 1, (1, 2): 2}, {"a": float("nan")}, object(), MagicMock(), Decimal(1), iter("x")]
METHODS = ["html", "markdown", "svg", "png", "jpeg", "pdf", "latex", "json", "javascript",
           "mimebundle", "pretty"]
class Ugly:
    def __init__(self, form): self.form = form
    def give(self, *_, **__): return self.form
for method in METHODS: setattr(Ugly, f"_repr_{method}_", Ugly.give)
for form in FORMS: display(Ugly(form), metadata={"m": form})
for form in FORMS: display({"text/html": form, "application/json": form, "x/y": form}, raw=True)
class Broken:
    def __repr__(self): raise ValueError
    def _ipython_display_(self): raise NotImplementedError
    def __getattr__(self, name): raise RuntimeError
display(Broken(), MagicMock(), Ugly, display_id=7)
"""
HANDLES = """
empty = display(display_id=True)
update_display("of nobody", display_id="unknown")
display("first", display_id="a", transient={"more": {1}})
display("second", display_id="a", update=True)
empty.update("filled")
"""
CELLS = (UGLY, HANDLES, "Ugly({(1, 2): 3})", "Broken()", "Ugly(5)")


def book(**metadata: Any) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def check(done: Any) -> None:
    nbformat.validate(done)
    ugly, handles, *values = [
        [output for output in cell.outputs if output.output_type != "stream"] for cell in done.cells
    ]
    assert len(ugly) == 16 + 16 + 3 + 1  # the handle that the last display() returns
    assert [output.data.get("text/plain") for output in handles] == ["'filled'", "'second'"]
    assert [[output.output_type for output in outputs] for outputs in values] == [
        ["execute_result"]
    ] * 3


@pytest.mark.usefixtures("jupyter")
def test_nbclient_gets_a_valid_notebook() -> None:
    from nbclient import NotebookClient

    check(NotebookClient(book(), timeout=60, kernel_name="minikernel").execute())


@pytest.mark.slow
def test_exec_writes_a_valid_notebook(tmp_path: Path) -> None:
    nbformat.write(book(), tmp_path / "x.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "exec", "x.ipynb"],
        cwd=tmp_path,
        env={**os.environ, "JUPYTER_DATA_DIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    check(nbformat.read(tmp_path / "x.ipynb", as_version=4))
