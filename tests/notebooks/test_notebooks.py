"""The notebooks run on the project's own kernel, and say there what their text promises."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from minikernel.cli.app import main

# No packages: `--import-mode=importlib` puts neither directory on the path.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "notebooks")]
import from_text  # noqa: E402 - found by the line above
from solutions import SOLUTIONS  # noqa: E402 - likewise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LESSONS = sorted(SOLUTIONS)
TIMEOUT = 60  # seconds a cell
KEYS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Shows the keys of the notebook's own client and of all its kernels; taken out again.
TELL_KEYS = """
import minikernel as _minikernel
for _thing in list(globals().values()):
    if isinstance(_thing, _minikernel.MiniKernelClient):
        print(_thing.session.key.decode())
    elif isinstance(_thing, dict) and isinstance(_thing.get("key"), str):
        print(_thing["key"])
"""
EXERCISE, CHECK, SOLUTION, CHECKED = "exercise", "check", "solution", "check-again"


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Jupyter that knows our kernelspec, with this interpreter, and writes into a directory."""
    directory = tmp_path_factory.mktemp("jupyter")
    assert main(["install", "--prefix", str(directory)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JPY_PARENT_PID", raising=False)
        patch.setenv("JUPYTER_PATH", str(directory / "share" / "jupyter"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(directory / name.lower()))
        yield directory


class Executed:
    """A notebook after its run."""

    def __init__(self, path: Path, directory: Path) -> None:
        self.notebook = nbformat.read(path, as_version=4)
        if path.stem in SOLUTIONS:
            self._solve(SOLUTIONS[path.stem])
        telling = nbformat.v4.new_code_cell(TELL_KEYS)
        self.notebook.cells.append(telling)
        resources = {"metadata": {"path": str(directory)}}
        NotebookClient(self.notebook, timeout=TIMEOUT, resources=resources).execute()
        self.notebook.cells.pop()
        self.keys = {key for key in telling.outputs[0]["text"].split("\n") if key}

    def _solve(self, solution: str) -> None:
        """After the check comes the solution, and the check again."""
        cells = self.notebook.cells
        at = next(n for n, cell in enumerate(cells) if cell.id == CHECK)
        cells.insert(at + 1, nbformat.v4.new_code_cell(solution, id=SOLUTION))
        cells.insert(at + 2, nbformat.v4.new_code_cell(cells[at].source, id=CHECKED))

    def outputs(self, cell: str) -> list[Any]:
        outputs: list[Any] = next(c for c in self.notebook.cells if c.id == cell).outputs
        return outputs

    def value(self, cell: str) -> str:
        """The value of a cell's last expression, as text."""
        results = [o for o in self.outputs(cell) if o.output_type == "execute_result"]
        assert len(results) == 1
        return str(results[0]["data"]["text/plain"])

    def text(self, cell: str, name: str = "stdout") -> str:
        streams = [o for o in self.outputs(cell) if o.get("name") == name]
        return "".join(o["text"] for o in streams)


@pytest.fixture(scope="module")
def executed(jupyter: Path) -> Callable[[str], Executed]:
    """Runs a notebook, once."""
    done: dict[str, Executed] = {}

    def run(name: str) -> Executed:
        if name not in done:
            done[name] = Executed(NOTEBOOKS / name, jupyter)
        return done[name]

    return run


def test_each_lesson_has_an_exercise_with_a_solution() -> None:
    assert [path.stem for path in PATHS] == ["00-start", *LESSONS]


@pytest.mark.parametrize("source", from_text.SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_made_from_its_text(source: Path) -> None:
    assert from_text.notebook(source) == source.with_suffix(".ipynb").read_text(), "make notebooks"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_what_is_committed_has_no_outputs_and_our_kernelspec(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec == {
        "display_name": "Python (minikernel)",
        "language": "python",
        "name": "minikernel",
    }
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
    assert not KEYS.search(path.read_text())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_output_shows_a_key(path: Path, executed: Callable[[str], Executed]) -> None:
    run = executed(path.name)
    assert all(len(key) > 16 for key in run.keys)
    assert run.keys
    shown = nbformat.writes(run.notebook)
    assert not [key for key in run.keys if key in shown]


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_exercise_is_checked(lesson: str, executed: Callable[[str], Executed]) -> None:
    run = executed(f"{lesson}.ipynb")
    assert run.text(CHECK).startswith("Not yet")
    assert run.text(CHECKED) == "Right.\n"


def test_start_launches_a_kernel(executed: Callable[[str], Executed]) -> None:
    run = executed("00-start.ipynb")
    assert run.value("launch") == "42"
    assert run.value("result") == r"('hello\n', '42')"


def test_start_shows_every_message_of_a_cell(executed: Callable[[str], Executed]) -> None:
    run = executed("00-start.ipynb")
    rows = [line.split() for line in run.text("trace").splitlines()]
    assert all(row[4:] == ["bytes", "ok"] for row in rows)
    assert sorted(tuple(row[:3]) for row in rows) == [
        ("iopub", "received", "execute_input"),
        ("iopub", "received", "execute_result"),
        ("iopub", "received", "status"),
        ("iopub", "received", "status"),
        ("iopub", "received", "stream"),
        ("shell", "received", "execute_reply"),
        ("shell", "sent", "execute_request"),
    ]


def test_start_shows_the_frames(executed: Callable[[str], Executed]) -> None:
    lines = executed("00-start.ipynb").text("frames").splitlines()
    assert [line.split()[0] for line in lines] == [
        "delimiter",
        "signature",
        "header",
        "parent_header",
        "metadata",
        "content",
    ]
    assert re.fullmatch(r"signature +[0-9a-f]{64}", lines[1])


def test_start_forges(executed: Callable[[str], Executed]) -> None:
    run = executed("00-start.ipynb")
    assert run.value("forge") == "[]"
    assert "shell: refused, bad signature; 1 so far" in run.text("forge", "stderr")
    table = run.outputs("forge-ledger")[0]["data"]["text/html"]
    assert table.count("bad signature 1") == 1


def test_start_replays(executed: Callable[[str], Executed]) -> None:
    run = executed("00-start.ipynb")
    assert run.value("replay") == "['once']"
    kernel, client = run.text("replay-ledger").split("what the client counted")
    assert "bad signature 1, replayed 1" in kernel
    assert re.search(r"shell .* 1  not asked 1\n", client)


def test_these_tests_use_this_interpreter(jupyter: Path) -> None:
    spec = jupyter / "share" / "jupyter" / "kernels" / "minikernel" / "kernel.json"
    assert sys.executable in spec.read_text()
