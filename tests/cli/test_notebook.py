"""Whatever ends the run of a notebook: what its cells have shown is in the file."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Call = Callable[..., Any]
    Start = Callable[..., subprocess.Popen[str]]

TIMEOUT = 90  # seconds for any one step
SLEEP = "print('before', flush=True)\nopen('asleep', 'w').close()\nimport time; time.sleep(600)"


def notebook(directory: Path, *cells: str, name: str = "x.ipynb") -> Path:
    new = nbformat.v4.new_code_cell
    nbformat.write(nbformat.v4.new_notebook(cells=[new(c) for c in cells]), directory / name)
    return directory / name


def outputs(path: Path) -> list[Any]:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    return [cell.outputs for cell in book.cells]


@pytest.fixture
def environment(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Without a module that jsonschema does without, and that takes seconds to import."""
    (stub := tmp_path_factory.mktemp("stub") / "rfc3987_syntax.py").write_text("raise ImportError")
    paths = [str(stub.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def started(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Run cells until one says that it sleeps."""
    running = []

    def start(*cells: str) -> subprocess.Popen[str]:
        notebook(tmp_path, *cells)
        os.mkfifo(tmp_path / "asleep")
        process = subprocess.Popen(
            [sys.executable, "-m", "minikernel", "exec", "x.ipynb"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        (tmp_path / "asleep").read_text()
        (tmp_path / "asleep").unlink()
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_loses_nothing(
    started: Start, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = started("print('first')", SLEEP, "3")
    process.send_signal(number)
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == code, err
    first, second, third = outputs(tmp_path / "x.ipynb")
    assert (first[0].text, second[0].text, third) == ("first\n", "before\n", [])
    assert {path.name for path in tmp_path.iterdir()} == {"x.ipynb", "data"}


def test_the_second_ctrl_c_loses_nothing(started: Start, tmp_path: Path) -> None:
    stubborn = "import time\nwhile True:\n    try: time.sleep(600)\n    except KeyboardInterrupt:\n"
    stubborn += "        open('asleep', 'w').close()\n"
    process = started(SLEEP.replace("import time; time.sleep(600)", stubborn))
    os.mkfifo(tmp_path / "asleep")
    process.send_signal(signal.SIGINT)
    (tmp_path / "asleep").read_text()  # the first was heard
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert outputs(tmp_path / "x.ipynb")[0][0].text == "before\n"


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        pytest.param("os._exit(0)", marks=pytest.mark.slow),
        pytest.param("os.abort()", marks=pytest.mark.slow),
        pytest.param("os.kill(os.getpid(), 11)", marks=pytest.mark.slow),
    ],
)
def test_the_death_of_the_kernel_is_said_and_loses_nothing(
    call: Call, tmp_path: Path, end: str
) -> None:
    # What was published 0.7 s ago has left the process.
    cell = "import os, time\nfor i in range(3): print('epoch', i, flush=True)\ndisplay('shown')\n"
    path = notebook(tmp_path, "1", f"{cell}time.sleep(0.7)\n{end}", "3")
    said = call("exec", "x.ipynb")
    assert said.code == 1
    assert "cell 2 of 3: the kernel has ended" in said.err
    first, second, third = outputs(path)
    assert first[0].data["text/plain"] == "1"
    assert second[0].text == "epoch 0\nepoch 1\nepoch 2\n"
    assert second[1].data["text/plain"] == "'shown'"
    assert third == []


@pytest.mark.slow
def test_a_cell_that_takes_too_long(call: Call, tmp_path: Path) -> None:
    path = notebook(tmp_path, SLEEP)
    said = call("exec", "--timeout", "2", "x.ipynb")
    assert (said.code, said.out) == (1, "")
    assert "cell 1 of 1: took longer than 2 s" in said.err
    assert outputs(path)[0][0].text == "before\n"


def test_a_disk_that_is_full(tmp_path: Path, environment: dict[str, str]) -> None:
    path = notebook(tmp_path, "print('x' * 1_000_000)")
    before = path.read_bytes()
    (tmp_path / "spare").mkdir()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))

    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "exec", "x.ipynb"],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(tmp_path / "spare")},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 2
    assert "x.ipynb': File too large: the results are lost, the file is as it was" in done.stderr
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"x.ipynb", "data", "spare"}
    assert list((tmp_path / "spare").iterdir()) == []


LITTLE = """
import sys
from minikernel.client import inbox
inbox.WAITING = 1 << 20  # so the kernel drops what this process is too slow for
from minikernel.cli.app import main
sys.exit(main())
"""


@pytest.mark.slow
def test_outputs_that_are_lost_are_told(tmp_path: Path, environment: dict[str, str]) -> None:
    flood = "for i in range(40_000): display('x' * 2000)"
    path = notebook(tmp_path, "print('before')", flood, "print('after')")
    done = subprocess.run(
        [sys.executable, "-c", LITTLE, "exec", path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 1
    assert "cell 2 of 3: some of its outputs were lost" in done.stderr
    before, flooded, after = outputs(path)
    assert [o["text"] for o in (*before, *after)] == ["before\n", "after\n"]
    assert 0 < len(flooded) < 40_000


@pytest.mark.slow
def test_results_that_can_not_be_written_are_rescued(call: Call, tmp_path: Path) -> None:
    (tmp_path / "spare").mkdir()
    (tmp_path / "sub").mkdir()
    gone = "import os, shutil\nprint('result')\nshutil.rmtree(os.path.abspath('sub'))"
    notebook(tmp_path, gone)
    said = call(
        "exec", "x.ipynb", "--output", "sub/y.ipynb", env={"TMPDIR": str(tmp_path / "spare")}
    )
    assert said.code == 2
    (rescued,) = (tmp_path / "spare").glob("*.ipynb")
    assert repr(str(rescued)) in said.err
    assert outputs(rescued)[0][0].text == "result\n"


@pytest.mark.parametrize("locale", ["C", pytest.param("POSIX", marks=pytest.mark.slow)])
def test_any_locale(call: Call, tmp_path: Path, locale: str) -> None:
    path = notebook(
        tmp_path, "print('caf\xe9 \N{SNOWMAN}')\ninput('\xfc? ')", "raise OSError('\xe9')"
    )
    env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = call("exec", "x.ipynb", typed="Ada\n", env=env)
    assert said.code == 1
    assert "OSError" in said.err
    assert outputs(path)[0][0].text == "caf\xe9 \N{SNOWMAN}\n"
    assert {p.name for p in tmp_path.iterdir()} == {"x.ipynb", "data"}


@pytest.mark.slow
def test_it_is_written_to_standard_output(call: Call, tmp_path: Path) -> None:
    before = notebook(tmp_path, "6 * 7").read_bytes()
    said = call("exec", "--output", "-", "x.ipynb")
    assert said.code == 0
    assert json.loads(said.out)["cells"][0]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert (tmp_path / "x.ipynb").read_bytes() == before


def test_help_and_pages_are_outputs(call: Call, tmp_path: Path) -> None:
    path = notebook(tmp_path, "help(len)", "print('first')\nhelp(len)", "len?", "nowhere??")
    assert call("exec", "x.ipynb").code == 0
    printed, after, page, none = (cell[0] for cell in outputs(path))
    assert "number of items" in printed.text
    assert after.text == "first\n" + printed.text
    assert "number of items" in page.data["text/plain"]
    assert "not found" in none.data["text/plain"]


def test_lines_of_both_streams_and_clears(call: Call, tmp_path: Path) -> None:
    path = notebook(
        tmp_path,
        "import sys\nfor i in range(3):\n    for name in ('stdout', 'stderr'):\n"
        "        for x in 'ab': print(name, i, x, file=getattr(sys, name), flush=True)",
        "print('gone')\ndisplay('gone')\nclear_output(wait=True)\nprint('stays')\nprint('too')",
        "print('gone')\nclear_output(wait=True)",
        "print('gone')\nclear_output()",
        "h = display('a', display_id='d')\nprint(1)\ndisplay('b', display_id='d');",
        "h.update('c')\nprint(2)",
        "for i in range(20000): print(i)\n1 / 0",
    )
    assert call("exec", "x.ipynb").code == 1
    both, *cleared, shown, updated, many = outputs(path)
    assert [o.text for o in both] == [
        f"{name} {i} a\n{name} {i} b\n" for i in range(3) for name in ("stdout", "stderr")
    ]
    assert [[o.get("text") for o in cell] for cell in cleared] == [["stays\ntoo\n"], ["gone\n"], []]
    assert [o.get("data", {}).get("text/plain") for o in shown] == ["'c'", None, "'c'"]
    assert [o.text for o in updated] == ["2\n"]
    assert many[0].text == "".join(f"{i}\n" for i in range(20000))
    assert many[1].ename == "ZeroDivisionError"


NBCLIENT = """
import sys, nbclient, nbformat
from minikernel.client.manager import AsyncMiniKernelManager
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, km=AsyncMiniKernelManager(), record_timing=False).execute()
nbformat.write(book, sys.argv[1])
"""
WIDGETS = [
    "import ipywidgets\nout = ipywidgets.Output()\nslider = ipywidgets.IntSlider(7)\nout",
    "with out:\n    print('captured')\n    print('too')\n    display('shown')\nprint('outside')",
    "with out:\n    out.clear_output()\n    print('anew')",
    "slider.value = 8\nimage = ipywidgets.Image(value=b'abc')\nimage",
]


@pytest.mark.slow
def test_output_widgets_and_widget_state_as_with_nbclient(
    call: Call, tmp_path: Path, environment: dict[str, str]
) -> None:
    path = notebook(tmp_path, *WIDGETS)
    reference = notebook(tmp_path, *WIDGETS, name="y.ipynb")
    command = [sys.executable, "-c", NBCLIENT, str(reference)]
    env = {**environment, "PYTHONWARNINGS": "default"}
    with subprocess.Popen(command, env=env) as nbclient:
        try:
            assert call("exec", "x.ipynb").code == 0
            assert nbclient.wait(TIMEOUT) == 0
        finally:
            nbclient.kill()
    ours = nbformat.read(path, as_version=4)
    theirs = nbformat.read(reference, as_version=4)
    assert ours.metadata.keys() == theirs.metadata.keys() >= {"widgets", "language_info"}
    assert state(ours) == state(theirs)
    assert outputs(path)[1][0].text == "outside\n"
    assert outputs(path)[2] == []
    held = next(s for s in state(ours) if s["model_name"] == "OutputModel")
    assert [o["text"] for o in held["state"]["outputs"]] == ["anew\n"]


def state(book: Any) -> list[Any]:
    """The state of each widget, without the names that are random."""
    models = book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    text = json.dumps(list(models.values()))
    for name in models:
        text = text.replace(name, "a name")
    loaded: list[Any] = json.loads(text)
    for model in loaded:
        model["state"].pop("msg_id", None)
    return sorted(loaded, key=lambda model: json.dumps(model, sort_keys=True))
