"""The clients that people use on notebooks and scripts: nbclient, and the commands built on it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = "minikernel"
TIMEOUT = 20  # seconds for any one answer

pytestmark = pytest.mark.usefixtures("jupyter")


# notebooks, by nbclient


def notebook(*cells: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {
                "name": KERNEL,
                "display_name": "Python (minikernel)",
                "language": "python",
            }
        },
    )


def executed(book: nbformat.NotebookNode, **options: Any) -> nbformat.NotebookNode:
    from nbclient import NotebookClient

    return NotebookClient(book, timeout=TIMEOUT, kernel_name=KERNEL, **options).execute()


def test_nbclient() -> None:
    book = executed(
        notebook(
            "import sys\nfor i in range(100): print(i)",
            "print('problem', file=sys.stderr)",
            "from IPython.display import display, HTML\nh = display(HTML('<b>1</b>'),"
            " display_id=True)\nh.update(HTML('<b>2</b>'))",
            "import matplotlib.pyplot as plt\nplt.plot([1, 2, 1]);",
            "6 * 7",
        )
    )
    numbers, problem, html, picture, value = [cell.outputs for cell in book.cells]
    assert [o.text for o in numbers] == ["".join(f"{i}\n" for i in range(100))]
    assert [(o.name, o.text) for o in problem] == [("stderr", "problem\n")]
    assert [o.data["text/html"] for o in html] == ["<b>2</b>"]
    assert [sorted(o.data) for o in picture] == [["image/png", "text/plain"]]
    assert [(o.output_type, o.data["text/plain"]) for o in value] == [("execute_result", "42")]
    assert [cell.execution_count for cell in book.cells] == [1, 2, 3, 4, 5]
    nbformat.validate(book)


def test_nbclient_stops_at_an_error() -> None:
    from nbclient.exceptions import CellExecutionError

    book = notebook("1 / 0", "print('not reached')")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(book)
    assert [len(cell.outputs) for cell in book.cells] == [1, 0]


def test_nbclient_and_a_cell_that_takes_too_long() -> None:
    from nbclient import NotebookClient

    book = notebook("while True: pass", "print('alive')")
    client = NotebookClient(book, timeout=1, kernel_name=KERNEL, interrupt_on_timeout=True)
    client.allow_errors = True
    client.execute()
    assert book.cells[0].outputs[0].ename == "KeyboardInterrupt"
    assert book.cells[1].outputs[0].text == "alive\n"


def test_ipywidgets() -> None:
    book = executed(
        notebook(
            "import ipywidgets\n"
            "slider = ipywidgets.IntSlider(value=3)\n"
            "seen = []\n"
            "slider.observe(lambda change: seen.append(change.new), 'value')\n"
            "slider",
            "slider.value = 8\nprint(seen)",
            "output = ipywidgets.Output()\n"
            "with output:\n"
            "    print('inside')\n"
            "    display(6 * 7)\n"
            "    1 / 0\n"
            "output",
            "print('outside')",
        )
    )
    view = "application/vnd.jupyter.widget-view+json"
    slider, change, output, outside = [cell.outputs for cell in book.cells]
    models = book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert models[slider[0].data[view]["model_id"]]["state"]["value"] == 8
    assert change[0].text == "[8]\n"
    assert len(output) == 1
    inside = models[output[0].data[view]["model_id"]]["state"]["outputs"]
    assert inside[0]["text"] == "inside\n"
    assert inside[1]["data"]["text/plain"] == "42"
    assert inside[2]["ename"] == "ZeroDivisionError"
    assert [o.text for o in outside] == ["outside\n"]


# commands


def call(directory: Path, *command: str, typed: str = "") -> str:
    """Run a command of this environment; what it, or the kernel, says on the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=directory,
        timeout=3 * TIMEOUT,
        check=False,
        text=True,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def save(directory: Path, *cells: str) -> Path:
    path = directory / "book.ipynb"
    nbformat.write(notebook(*cells), path)
    return path


def outputs(path: Path) -> list[str]:
    return [
        output.get("text") or output.data["text/plain"]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.outputs
    ]


def test_jupyter_execute(tmp_path: Path) -> None:
    path = save(tmp_path, "print('hello')", "6 * 7")
    said = call(tmp_path, "jupyter", "execute", "--inplace", path.name)
    assert "sequence" not in path.read_text()  # what numbers messages is not saved
    assert all(line.startswith("[NbClientApp]") for line in said.splitlines()), said
    assert outputs(path) == ["hello\n", "42"]


def test_nbconvert(tmp_path: Path) -> None:
    save(tmp_path, "print('hello')", "6 * 7")
    options = ("--log-level=ERROR", "--execute", "--to", "notebook", "--output", "done")
    assert call(tmp_path, "jupyter", "nbconvert", *options, "book.ipynb") == ""
    assert outputs(tmp_path / "done.ipynb") == ["hello\n", "42"]


@pytest.mark.slow
def test_papermill(tmp_path: Path) -> None:
    path = save(tmp_path, "name = 'nobody'", "print('hello', name)")
    book = nbformat.read(path, as_version=4)
    book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, path)
    options = ("--no-progress-bar", "--log-level", "ERROR", "-p", "name", "Ada")
    assert call(tmp_path, "papermill", *options, "book.ipynb", "done.ipynb") == ""
    assert outputs(tmp_path / "done.ipynb") == ["hello Ada\n"]


def test_jupyter_run(tmp_path: Path) -> None:
    code = "print('hello', 6 * 7)"
    assert call(tmp_path, "jupyter", "run", "--kernel", KERNEL, typed=code) == "hello 42\n"


def test_jupyter_run_of_a_file(tmp_path: Path) -> None:
    """jupyter_client appends the file to the kernel's own command line."""
    (tmp_path / "hello.py").write_text("print('hello', 6 * 7)\n")
    assert call(tmp_path, "jupyter", "run", "--kernel", KERNEL, "hello.py") == "hello 42\n"
