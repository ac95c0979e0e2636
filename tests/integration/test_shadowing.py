"""Files beside a notebook that have the names of modules: to open it runs none of them.

Each file leaves a mark when it runs. The kernels do all for which they import something late.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest
from jupyter_client.manager import KernelManager

import minikernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOREIGN = """IPython black colorama comm curio docutils exceptiongroup gevent greenlet ipykernel
ipywidgets jedi jupyter_client jupyter_core matplotlib matplotlib_inline minikernel msgspec nbclient
nbformat nest_asyncio numpy numpydoc orjson pandas parso prompt_toolkit psutil pygments pytest
setuptools simplejson sitecustomize sniffio sphinx tornado traitlets trio typing_extensions
usercustomize uvloop wcwidth yaml zmq"""
NAMES = sorted({*sys.stdlib_module_names, *FOREIGN.split()} - {"antigravity", "this"})
CELLS = [
    "1",
    "display({'a': 1})",
    "1 / 0",
    "def f(:",
    "%time",
    "exec('raise ValueError')",
    "help(int)",
    "int?",
    "breakpoint()",
    "class Odd:\n    def __repr__(self): raise ValueError\nOdd()",
    "class Rich:\n    def _repr_html_(self): return 'x'\n    def _repr_png_(self): 1 / 0\nRich()",
    "await __import__('asyncio').sleep(0)",
    "await __import__('asyncio').sleep(0)",
    "input()",
    "print('x', file=__import__('sys').stderr)",
]
ASKED = ["import js", "from os import pa", "x = 'a'; x.", "print("]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Path]:
    """A directory with all those files, which must not have run at the end."""
    marks = tmp_path / "marks"
    marks.touch()
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in NAMES:
        code = f"import io\nwith io.open({str(marks)!r}, 'a') as marks: marks.write('{name} ')\n"
        (folder / f"{name}.py").write_text(code)
    yield folder
    assert marks.read_text() == ""


def try_all(client: minikernel.MiniKernelClient) -> None:
    """Have the kernel do all for which it imports something."""
    for code in CELLS:
        client.run(code, timeout=60, on_input=lambda *_: "c")
    for code in ASKED:
        client.complete(code, reply=True, timeout=60)
        client.inspect(code, reply=True, timeout=60)
        client.is_complete(code, reply=True, timeout=60)
    client.history(hist_access_type="search", pattern="*", reply=True, timeout=60)
    assert client.run("6 * 7", timeout=60).value == "42"


@pytest.mark.parametrize(
    "before",
    [
        "",
        pytest.param(
            "import os, sys; os.chdir('..'); sys.path[:0] = ['.', os.getcwd(), 'x/..']",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_of_a_kernel_that_is_launched(files: Path, before: str) -> None:
    folder = files / "deeper" if "chdir" in before else files
    folder.mkdir(exist_ok=True)
    with minikernel.launch(cwd=folder) as client:
        client.run(before)
        try_all(client)


@pytest.mark.slow
def test_of_jupyter_s_own_manager(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "minikernel", "install", "--prefix", str(tmp_path)]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    manager = KernelManager(kernel_name="minikernel")
    manager.start_kernel(cwd=str(files))
    try:
        with minikernel.connect(manager.connection_file) as client:
            try_all(client)
    finally:
        manager.shutdown_kernel()


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="there is no PYTHONSAFEPATH")
def test_of_a_kernel_that_is_run(files: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "minikernel", "run", "--history", str(tmp_path / "history")]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(run, cwd=files, env=environment, stdout=subprocess.PIPE) as kernel:
        assert kernel.stdout is not None
        with minikernel.connect(kernel.stdout.readline().decode().strip()) as client:
            try_all(client)
        kernel.terminate()
        assert kernel.wait(60) == 0


def test_of_a_script(files: Path) -> None:
    (files / "script.py").write_text("print(6 * 7)\n1 / 0")
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "exec", "script.py"],
        cwd=files,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "42\n"), done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.slow
def test_of_a_console(files: Path) -> None:
    console = pexpect.spawn(
        sys.executable,
        ["-m", "minikernel", "console"],
        cwd=str(files),
        env={**os.environ, "PYTHONSAFEPATH": "1", "TERM": "xterm"},
        timeout=60,
        encoding="utf-8",
    )
    console.expect(r"In \[1\]")
    console.send("abs\t(-4711)\r")
    console.expect(r"Out\[1\]: .*4711")
    console.send("\x04")
    console.expect(pexpect.EOF)
    console.close()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[minikernel.MiniKernelClient]:
    """A kernel in a directory with files of the user's, that are meant."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "mine.py").write_text("def f(x): return 2 * x\nfirst_name = 1\n")
    (folder / "later.py").write_text("x = 'later'\n")
    (folder / "named.py").write_text('"""What help() says."""\n')
    (folder / "colorsys.py").write_text("x = 'the user means this one'\n")
    with minikernel.launch(cwd=folder) as client:
        yield client


SPAWN = """
import multiprocessing, mine
with multiprocessing.get_context('spawn').Pool(1) as pool:
    print(pool.map(mine.f, [4]))
"""
CHILD = """
import subprocess, sys
code = 'import mine; print(mine.f(1))'
print(subprocess.check_output([sys.executable, '-c', code], text=True))
"""
TASK = """
import asyncio, importlib
async def load(): return importlib.import_module('later')
print((await asyncio.create_task(load())).x)
"""
LIBRARY_S_TASK = """
import asyncio, importlib, sys
sys.modules.pop('later', None)
calling = asyncio.get_running_loop().call_soon(importlib.import_module, 'later')
await asyncio.sleep(0.01)
print('later' in sys.modules)
"""
THREAD = """
import asyncio, importlib, sys
sys.modules.pop('later', None)
print((await asyncio.to_thread(importlib.import_module, 'later')).x)
"""
MOVED = """
import os; os.mkdir('d'); open('d/there.py', 'w').close(); os.chdir('d')
import there; os.chdir('..'); print(there.__name__)
"""


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import sys; print(repr(sys.path[0]), sys.path.count(''))", "'' 1\n"),
        ("import mine; print(mine.f(3))", "6\n"),
        ("import colorsys; print(colorsys.x)", "the user means this one\n"),
        ("import os; print(os.environ.get('PYTHONSAFEPATH'))", "None\n"),
        ("import pickle; print(pickle.loads(b'cmine\\nf\\n.')(5))", "10\n"),
        (CHILD, "2\n\n"),
        (SPAWN, "[8]\n"),
        (TASK, "later\n"),
        (LIBRARY_S_TASK, "True\n"),
        (THREAD, "later\n"),
        (MOVED, "there\n"),
    ],
)
def test_a_cell_s_import_finds_the_user_s_file(
    notebook: minikernel.MiniKernelClient, code: str, text: str
) -> None:
    result = notebook.run(code, timeout=60)
    result.raise_for_error()
    assert result.stdout == text


def test_help_and_tab_find_the_user_s_file(notebook: minikernel.MiniKernelClient) -> None:
    result = notebook.run("help('named')", timeout=60)
    assert "What help() says" in result.stdout
    content = notebook.complete("from mine import fir", reply=True, timeout=60)["content"]
    assert content["matches"] == ["first_name"]
