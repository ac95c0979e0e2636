"""The notebooks run on the project's own kernel, and say there what their text promises."""

from __future__ import annotations

import contextlib
import io
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

    def picture(self, cell: str) -> str:
        """The picture that a cell's value is."""
        shown = [o["data"]["text/html"] for o in self.outputs(cell) if "data" in o]
        assert len(shown) == 1
        assert shown[0].startswith("<svg ")
        return str(shown[0])

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


def test_a_wrong_answer_is_told_from_a_right_one() -> None:
    lesson = nbformat.read(NOTEBOOKS / "07-speed.ipynb", as_version=4)
    check = next(cell.source for cell in lesson.cells if cell.id == CHECK)
    for rounded in ("math.floor", "round", "int"):
        said = io.StringIO()
        solution = SOLUTIONS["07-speed"].replace("math.ceil", rounded)
        with contextlib.redirect_stdout(said):
            exec(f"{solution}\n{check}", {})
        assert said.getvalue().startswith("Not yet: of "), rounded


def test_each_lesson_has_an_exercise_with_a_solution() -> None:
    assert [path.stem for path in PATHS] == ["00-start", *LESSONS]


@pytest.mark.parametrize("source", from_text.SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_made_from_its_text(source: Path) -> None:
    assert from_text.notebook(source) == source.with_suffix(".ipynb").read_text(), "make notebooks"


@pytest.mark.parametrize("source", from_text.SOURCES, ids=lambda path: path.stem)
def test_links_resolve(source: Path) -> None:
    for link in re.findall(r"\[[^\]]+\]\(([^)]+)\)", source.read_text()):
        assert (source.parent / link).is_file(), link


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


@pytest.mark.parametrize(
    "path",
    [path if path.stem < "03" else pytest.param(path, marks=pytest.mark.slow) for path in PATHS],
    ids=lambda path: path.stem,
)
def test_no_output_shows_a_key(path: Path, executed: Callable[[str], Executed]) -> None:
    run = executed(path.name)
    assert all(len(key) > 16 for key in run.keys)
    assert run.keys
    shown = nbformat.writes(run.notebook)
    assert not [key for key in run.keys if key in shown]


@pytest.mark.parametrize(
    "lesson",
    [name if name < "05" else pytest.param(name, marks=pytest.mark.slow) for name in LESSONS],
)
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


def test_channels(executed: Callable[[str], Executed]) -> None:
    run = executed("01-channels.ipynb")
    ours, new = (line.split()[-1] for line in run.text("processes").splitlines())
    assert ours != new
    ports = [line for line in run.text("connection").splitlines() if "_port" in line]
    assert len(ports) == 5
    assert run.value("trace") == "Trace(7 messages)"
    assert "iopub: error" in run.picture("error")
    assert "execute_request" in run.picture("frames")
    assert run.value("parent") == "True"
    assert "shell" not in run.picture("second")
    assert "stdin: input_request" in run.picture("stdin")


def test_signature(executed: Callable[[str], Executed]) -> None:
    run = executed("02-signature.ipynb")
    assert run.value("sign") == "True"
    for cell in ("unchanged", "byte", "unsigned", "boundary"):
        assert "['true']\n" in run.text(cell)
    assert run.value("unsigned") == "{'bad signature': 2}"
    assert "same signature: True" in run.text("boundary")
    assert run.value("boundary") == "{'bad signature': 2, 'refused': 1}"
    assert run.text("buffer") == run.text("digest") == "['true', 'with a buffer']\n"
    assert run.value("digest") == "{'bad signature': 3, 'refused': 1}"


def test_challenge(executed: Callable[[str], Executed]) -> None:
    run = executed("03-challenge.ipynb")
    assert run.value("same") == "True"
    assert run.text("heard") == "ok\n'by a stranger'\n"
    assert run.text("challenge") == "the key was sent: False\n"
    assert "#WELCOME#" in run.picture("challenge")
    assert run.value("relay") == "[b'pay 10 to Mallory']"
    assert "#KNOCK#" in run.picture("once")
    assert run.text("nobody") == "answer: nothing\n"
    assert "'unknown session': " in run.value("nobody")
    assert "'status': 'ok'" in run.value("copy")


def test_replay(executed: Callable[[str], Executed]) -> None:
    run = executed("04-replay.ipynb")
    assert run.value("record") == "'90'"
    assert run.text("replay-bare") == "70\n"
    assert run.text("replay-guarded") == run.text("flood") == "90\n"
    assert run.value("replay-guarded") == "{'replayed': 2}"
    assert run.text("memory").splitlines()[0].startswith("refused")
    assert run.value("flood") == "{'replayed': 3, 'bad signature': 5000}"
    assert run.text("restart") == "100\n"
    assert run.value("restart") == "{'replayed': 1}"
    assert "restarts" in run.picture("timeline")
    assert run.value("counter") == "{'replayed counter': 1}"


def test_channel_hmac(executed: Callable[[str], Executed]) -> None:
    run = executed("05-channel-hmac.ipynb")
    for cell in ("hkdf", "challenge", "session"):
        assert run.value(cell) == "True"
    assert run.value("hello") == "94"
    assert run.text("bind").split() == ["control:", "ok", "shell:", "ok"]
    assert run.value("execute") == "('ok', 1)"
    assert run.text("published") == "tags: 2\n"
    assert run.value("digest") == r"(True, 'hello from 42\n')"
    refused = run.value("attack")
    assert all(
        reason in refused for reason in ("'bad signature': 1", "'replayed counter': 1", "control")
    )


def test_matrix(executed: Callable[[str], Executed]) -> None:
    run = executed("06-matrix.ipynb")
    said = [line.split()[:2] for line in run.text("play").splitlines()]
    assert said == [["jupyter-hmac", "let"], ["channel-hmac", "stopped"]]
    words = re.findall(r">(OPEN|told|-)<", run.picture("draw"))
    through, stopped = "OPEN", "-"
    assert words == [
        *(through, through, through),  # read-iopub
        *(through, stopped, stopped),  # change-a-buffer
        *(through, through, stopped),  # swap-requests
        *(through, stopped, stopped),  # replay-after-a-restart
    ]
    red = {row for row, cells in rows(run.picture("matrix")).items() if set(cells) == {"OPEN"}}
    assert red == {"delay-everything", "middle-with-the-master-key"}
    assert "read-iopub" in run.picture("curve")
    assert run.value("impostor") == "\"'by Alice?'\""


def rows(picture: str) -> dict[str, list[str]]:
    """The words of a matrix, by the row's name."""
    found: dict[str, list[str]] = {}
    last = ""
    for name in re.findall(r"<text[^>]*>([^<]+)</text>", picture):
        if name in {"OPEN", "told", "-", "n/a"}:
            found[last].append(name)
        else:
            last = name
            found[last] = []
    return {name: cells for name, cells in found.items() if cells}


def test_speed(executed: Callable[[str], Executed]) -> None:
    run = executed("07-speed.ipynb")
    for cell in ("histogram", "floor", "schemes"):
        assert [o for o in run.outputs(cell) if "image/png" in o.get("data", {})]
    assert run.value("messages") == "Trace(5 messages)"
    assert "of the round trip" in run.text("hmac")
    names = ["null", "jupyter_hmac", "channel_hmac", "with_curve"]
    assert [line.split()[0] for line in run.text("ratios").splitlines()] == names
    assert [line.split()[0] for line in run.text("budget").splitlines()] == names
    assert [line.split()[0] for line in run.text("yours").splitlines()] == names
    assert re.match(r"in a loop +\d", run.text("rest"))


def test_these_tests_use_this_interpreter(jupyter: Path) -> None:
    spec = jupyter / "share" / "jupyter" / "kernels" / "minikernel" / "kernel.json"
    assert sys.executable in spec.read_text()
