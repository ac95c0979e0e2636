from __future__ import annotations

import base64
import os
import struct
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("matplotlib")

PRELUDE = """
    import sys, base64, struct
    from minikernel.interpreter.python import PythonEngine
    shown = []
    class Frontend:
        def display(self, data, metadata, **options): shown.append(data)
        def result(self, count, data, metadata): shown.append(data)
        def clear_output(self, **options): pass
    engine = PythonEngine(Frontend(), history_file=None)
    def run(code):
        options = dict(silent=False, store_history=True, user_expressions={})
        coroutine = engine.execute(code, **options)
        try:
            coroutine.send(None)
        except StopIteration as end:
            outcome = end.value
        else:
            import asyncio
            loop = asyncio.new_event_loop()
            outcome = loop.run_until_complete(loop.create_task(coroutine))
        assert not outcome.failure, outcome.failure
    def pictures():
        found = [data["image/png"] for data in shown if "image/png" in data]
        shown.clear()
        return len(found)
    """


def child(code: str, **environment: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    run = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::UserWarning",
            "-c",
            textwrap.dedent(PRELUDE) + textwrap.dedent(code),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**env, **environment},
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_figures_are_shown_once_and_closed() -> None:
    out = child("""
        run("import matplotlib.pyplot as plt")
        run("plt.plot([1, 2]);")
        print("at the end of the cell", pictures())
        run("1")
        print("not again", pictures())
        run("plt.plot([1, 2])\\nplt.show()\\nx = 1")
        print("by show", pictures())
        run("plt.figure(); plt.plot([1]); plt.figure(); plt.plot([2]);")
        print("two", pictures())
        run("assert plt.get_fignums() == []")
        run("fig, ax = plt.subplots()\\nax.plot([1])\\nplt.close(fig)")
        print("closed by the user", pictures())
        run("import io\\nplt.plot([1])\\nplt.savefig(io.BytesIO())\\nplt.close('all')")
        print("only saved", pictures())
        run("fig, ax = plt.subplots()\\nfig.show()\\nplt.close()")
        print("fig.show", pictures())
        run("plt.ioff()\\nfig, ax = plt.subplots()")
        print("switched off", pictures())
        run("plt.ion()\\nplt.close('all')\\nfig")
        print("as a value", pictures())
        run("plt.figure();")
        print("empty", pictures())
        run("display(fig)")
        print("by display", pictures())
    """)
    assert out.splitlines() == [
        "at the end of the cell 1",
        "not again 0",
        "by show 1",
        "two 2",
        "closed by the user 0",
        "only saved 0",
        "fig.show 1",
        "switched off 0",
        "as a value 1",
        "empty 0",
        "by display 1",
    ]


def test_a_figure_of_a_failing_cell_is_shown() -> None:
    out = child("""
        run("import matplotlib.pyplot as plt")
        try:
            run("plt.plot([1])\\n1/0")
        except AssertionError:
            print(pictures())
    """)
    assert out == "1\n"


def test_the_picture_is_cropped() -> None:
    out = child("""
        run("import matplotlib.pyplot as plt")
        run("fig = plt.figure(figsize=(5, 5), dpi=100)\\nfig.add_axes((.4, .4, .2, .2));")
        print([data["image/png"] for data in shown][0])
    """)
    png = base64.b64decode(out)
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert 100 < width < 250
    assert 100 < height < 250


def test_children_inherit_nothing_of_the_backend() -> None:
    out = child("""
        run("import os, matplotlib")
        run("print(os.environ.get('MPLBACKEND'), matplotlib.get_backend())")
    """)
    assert out == "None module://minikernel.interpreter.figures\n"


def test_a_backend_that_was_chosen_stays() -> None:
    out = child(
        """
        run("import matplotlib.pyplot as plt\\nprint(plt.get_backend().lower())")
        run("plt.plot([1]);")
        print(pictures())
        """,
        MPLBACKEND="agg",
    )
    assert out == "agg\n0\n"


def test_ipythons_inline_backend_from_a_parent_kernel_counts_as_unset() -> None:
    out = child(
        """
        run("import matplotlib.pyplot as plt\\nplt.plot([1]);")
        print(pictures())
        """,
        MPLBACKEND="module://matplotlib_inline.backend_inline",
    )
    assert out == "1\n"


def test_matplotlib_is_not_imported_by_the_engine() -> None:
    assert child("run('1')\nprint('matplotlib' in sys.modules)") == "False\n"
