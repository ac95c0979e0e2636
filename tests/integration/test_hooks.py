"""What the kernel has to say in modules that are imported later: in a kernel that has none yet."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

import minikernel

if TYPE_CHECKING:
    from pathlib import Path

STOP = {
    "breakpoint": "breakpoint()",
    "breakpoint in a function": "def f():\n    clue = 1\n    breakpoint()\nf()",
    "set_trace": "import pdb; pdb.set_trace()",
    "set_trace by name": "from pdb import set_trace; set_trace()",
    "with a header": "import pdb; pdb.set_trace(header='here')",
    "after a reload": "import importlib, pdb; importlib.reload(pdb).set_trace()",
    "after it was forgotten": "import pdb, sys; del sys.modules['pdb']\nimport pdb; breakpoint()",
    "by its variable": "import os; os.environ['PYTHONBREAKPOINT'] = 'pdb.set_trace'\nbreakpoint()",
    "in a task": "import asyncio\nasync def f(): breakpoint()\nawait asyncio.create_task(f())",
    "in a thread": "import threading\nt = threading.Thread(target=breakpoint); t.start(); t.join()",
    "runcall": "import pdb; pdb.runcall(print, 1)",
}


@pytest.mark.parametrize("code", STOP.values(), ids=STOP)
def test_the_first_stop_of_a_session(code: str) -> None:
    questions: list[str] = []

    def answer(prompt: str, _: bool) -> str:
        questions.append(prompt)
        return "c"

    with minikernel.launch() as client:
        result = client.run(f"{code}\nprint('after')", on_input=answer, timeout=60)
        assert result.error is None, result.error
        assert result.stdout.endswith("after\n")
        assert set(questions) == {"(Pdb) "}
        assert client.run("6 * 7", timeout=60).value == "42"


def test_getpass_asks_the_frontend_also_after_a_reload() -> None:
    code = "import getpass, importlib\nprint(importlib.reload(getpass).getpass('Key: '))"
    with minikernel.launch() as client:
        result = client.run(code, on_input=lambda prompt, hidden: f"{prompt}{hidden}", timeout=60)
        assert result.stdout == "Key: True\n"


def test_matplotlib_that_a_thread_imports_draws_inline() -> None:
    code = (
        "import threading\ndef work():\n    global plt\n    from matplotlib import pyplot as plt\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "_ = plt.plot([1, 2])"
    )
    with minikernel.launch() as client:
        result = client.run(code, timeout=60)
        assert any("image/png" in output.get("data", {}) for output in result.outputs)


def test_a_module_of_that_name_that_is_the_user_s_can_be_imported(tmp_path: Path) -> None:
    for name in ("comm", "pydoc", "matplotlib", "IPython"):
        (tmp_path / f"{name}.py").write_text(f"x = 'my {name}'\n")
    with minikernel.launch(cwd=tmp_path) as client:
        result = client.run("import comm, matplotlib, pydoc, IPython\nprint(pydoc.x)", timeout=60)
        assert (result.error, result.stdout) == (None, "my pydoc\n")
        assert client.run("6 * 7", timeout=60).value == "42"


def test_numba_finds_a_place_for_what_it_compiled(tmp_path: Path) -> None:
    if importlib.util.find_spec("numba") is None:
        pytest.skip("numba is not installed")
    code = "import numba\n@numba.njit(cache=True)\ndef f(x): return x + 1\n"
    code += "f(1), dict((str(k), v) for k, v in f.stats.cache_hits.items())"
    hits = []
    for _ in range(2):
        with minikernel.launch(env={"XDG_CACHE_HOME": str(tmp_path)}) as client:
            result = client.run(code, timeout=100)
            assert result.error is None, result.error
            hits.append(eval(result.value))
    assert [value for value, _ in hits] == [2, 2]
    assert sum(hits[1][1].values()) == 1
