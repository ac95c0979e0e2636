"""Libraries that look for IPython's shell find their way without one. Each in a fresh process."""

from __future__ import annotations

from typing import Any

import pytest

from minikernel.interpreter.libraries import PREPARED
from minikernel.interpreter.surroundings import LIBRARIES


def test_the_modules_that_are_waited_for_are_those_that_are_prepared() -> None:
    assert set(LIBRARIES) == set(PREPARED)


@pytest.mark.slow
def test_a_wide_table_is_wrapped_not_cut(in_child: Any) -> None:
    pytest.importorskip("pandas")
    out = in_child("""
        send("import pandas as pd")
        send("pd.DataFrame([['x' * 10] * 15], columns=[f'column {i}' for i in range(15)])")
        send("pd.set_option('display.max_columns', 3)")
        send("print(pd.get_option('display.max_columns'))")
    """)
    assert all(f"column {i} " in out for i in range(15))
    assert "..." not in out
    assert out.endswith("\n3\n")


@pytest.mark.parametrize("installed", [True, False])
def test_plotly_shows_its_figures_here(in_child: Any, installed: bool) -> None:
    pytest.importorskip("plotly")
    out = in_child(f"""
        installed = {installed}
        if not installed:
            sys.modules["IPython"] = sys.modules["IPython.display"] = None
            sys.modules["nbformat"] = None
        assert not send("import plotly.graph_objects as go").failure
        send("figure = go.Figure(data=[go.Bar(y=[1, float('nan')])])")
        for code in ("figure", "figure.show()", "display(figure)", "figure.show('json')"):
            print(send(code).failure)
    """)
    kinds = [line.split("'")[1] for line in out.splitlines() if line.startswith("display")]
    assert kinds == ["application/vnd.plotly.v1+json"] * 3 + ["application/json"]
    assert out.count("None\n") == 4
    assert "nan" not in out.lower()


@pytest.mark.slow
def test_plotly_shows_as_the_environment_asks(in_child: Any, monkeypatch: Any) -> None:
    pytest.importorskip("plotly")
    monkeypatch.setenv("PLOTLY_RENDERER", "json")
    out = in_child("""
        send("import plotly.graph_objects as go\\ngo.Figure(data=[go.Bar(y=[1, 2])])")
    """)
    assert out.startswith("display {'application/json'")


INLINE = "matplotlib_inline.backend_inline"


@pytest.mark.slow
def test_formats_of_figures(in_child: Any) -> None:
    pytest.importorskip(INLINE)
    out = in_child(f"""
        send("def f(): pass")
        send("import matplotlib.pyplot as plt, pickle, {INLINE} as inline")
        for setting in (
            "inline.set_matplotlib_formats('svg')",
            "inline.set_matplotlib_formats('pdf', 'jpeg', dpi=30)",
            "inline.InlineBackend.instance().figure_formats = {{'svg'}}",
            "plt.switch_backend('inline')",
        ):
            send(setting)
            send("plt.plot([1]);")
            send("plt.plot([2])\\nplt.close('all')")
            send("pickle.loads(pickle.dumps(f)) is f")
        print(send("inline.set_matplotlib_formats('bmp')").failure.line)
    """)
    svg, text = "'image/svg+xml': ", "'text/plain': "
    *lines, refusal = out.splitlines()
    expected = [[svg, text], ["'application/pdf': ", "'image/jpeg': ", text], [svg, text], [svg]]
    for kinds in expected:
        shown, pickled, *lines = lines
        assert all(kind in shown for kind in kinds)
        assert pickled == "result True"
    assert lines == []
    assert "supported formats are png" in refusal


def test_figures_that_stay_open_are_shown_when_they_change(in_child: Any) -> None:
    pytest.importorskip(INLINE)
    out = in_child(f"""
        send("import matplotlib.pyplot as plt\\nfrom {INLINE} import set_matplotlib_close")
        send("set_matplotlib_close(False)\\nplt.plot([1]);")
        send("1")
        send("plt.plot([2]);")
        send("set_matplotlib_close(True);")
        send("plt.get_fignums()")
    """)
    assert [line[:9] for line in out.splitlines()] == [
        *("display {", "result 1", "display {", "display {", "result []"),
    ]


def test_a_shell_of_ipythons_does_not_take_the_place_of_main(in_child: Any) -> None:
    pytest.importorskip("IPython")
    out = in_child("""
        import os, tempfile
        os.environ["IPYTHONDIR"] = tempfile.mkdtemp()
        send("def f(): pass")
        send("from IPython.core.interactiveshell import InteractiveShell as Shell")
        send("shell = Shell.instance()\\nshell.history_manager.enabled = False")
        send("import pickle, sys\\npickle.loads(pickle.dumps(f)) is f")
        send("display(1)")
        sys.stdout.flush()
        os._exit(0)
    """)
    assert out.splitlines() == ["result True", "display {'text/plain': '1'}"]
