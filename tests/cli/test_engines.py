"""`--engine`: a kernel for a language of one's own, and what is said of a wrong name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minikernel import MiniKernelClient

    Command = Callable[..., Any]

EXAMPLE = Path(minikernel.__file__).parents[1] / "docs" / "examples" / "calculator.py"
NAME = "calculator:Calculator"
SLOW = """
import time
from minikernel.interpreter.base import LanguageInfo
from minikernel.interpreter.plain import PlainEngine

class Slow(PlainEngine):
    info = LanguageInfo(name="slow", version="1")

    def run(self, code):
        print(self.frontend.input("sure? "), flush=True)
        time.sleep(60)
"""

pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason="the example is not installed")


@pytest.fixture
def calculator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MiniKernelClient]:
    """A kernel on the example, which lies in its working directory."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    shutil.copy(EXAMPLE, tmp_path)
    with minikernel.launch(cwd=tmp_path, extra_arguments=["--engine", NAME]) as client:
        yield client


def test_it_has_thirty_lines() -> None:
    assert sum(bool(line.strip()) for line in EXAMPLE.read_text().splitlines()) <= 30


def test_cells_have_values_outputs_and_errors(calculator: MiniKernelClient) -> None:
    assert calculator.run("3 4 + 6 *").value == "42"
    shown = calculator.run("2 / print")
    assert (shown.stdout, shown.value) == ("21.0\n", "21")
    failed = calculator.run("1 + +")
    assert failed.error is not None
    assert (failed.error.ename, failed.error.evalue) == ("IndexError", "pop from empty list")
    assert len(failed.error.traceback) == 1  # none of the engine's own lines
    assert calculator.run("2 *").value == "42"  # the failed cell changed nothing


def test_what_else_clients_ask(calculator: MiniKernelClient) -> None:
    info = calculator.kernel_info(reply=True, timeout=20)["content"]
    assert info["language_info"]["name"] == "calculator"
    assert info["banner"] == "As in 1 2 +"
    found = calculator.complete("1 ", reply=True, timeout=20)["content"]
    assert (found["matches"][0], found["cursor_start"]) == ("+", 2)
    assert calculator.is_complete("1 ", reply=True, timeout=20)["content"]["status"] == "complete"
    assert not calculator.inspect("1 ", reply=True, timeout=20)["content"]["found"]
    calculator.run("7")
    past = calculator.history(hist_access_type="tail", n=1, output=True, reply=True, timeout=20)
    assert past["content"]["history"][0][2] == ["7", "7"]


def test_it_asks_and_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "slow.py").write_text(SLOW)
    with minikernel.launch(cwd=tmp_path, extra_arguments=["--engine", "slow:Slow"]) as client:

        def shown(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                client.interrupt()

        result = client.run("", on_input=lambda *_: "yes", on_output=shown)
        assert result.stdout == "yes\n"
        assert result.error is not None
        assert result.error.ename == "KeyboardInterrupt"
        assert result.execution_count == 0  # an empty cell is not counted


def test_jupyter_starts_it_from_its_kernelspec(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    done = call("install", "--name", "calculator", "--engine", NAME)
    assert (done.code, done.err) == (0, "")
    path = tmp_path / "data" / "kernels" / "calculator" / "kernel.json"
    spec = json.loads(path.read_text())
    assert (spec["language"], spec["display_name"]) == ("calculator", "calculator")
    assert spec["argv"][3:] == ["run", "--engine", NAME, "-f", "{connection_file}", "--"]
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    manager, client = start_new_kernel(kernel_name="calculator", cwd=os.fspath(tmp_path))
    try:
        reply = client.execute_interactive("1 2 +", timeout=20, output_hook=lambda _: None)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.parametrize("subcommand", ["run", "install"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("calculator", "write MODULE:CLASS"),
        ("nowhere:Engine", "No module named 'nowhere'"),
        ("json:Engine", "has no attribute 'Engine'"),
        ("json:loads", "that is not an engine, a class with a LanguageInfo `info`"),
        ("broken:Nothing", "that is not an engine, a class with a LanguageInfo `info`"),
        ("leaving:Engine", "SystemExit: 3"),
        ("failing:Engine", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_name_that_is_no_engine(
    refused: Callable[..., str], tmp_path: Path, subcommand: str, name: str, said: str
) -> None:
    (tmp_path / "failing.py").write_text("1 / 0\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "broken.py").write_text("class Nothing:\n    info = 'none'\n")
    line = refused(subcommand, "--engine", name)
    assert said in line
    assert repr(name) in line
    assert not (tmp_path / "data").exists()


def test_an_engine_that_does_not_start(refused: Callable[..., str], tmp_path: Path) -> None:
    """One line, and no traceback."""
    source = SLOW + "    def __init__(self, *args, **options):\n        raise ValueError('a\\nb')\n"
    (tmp_path / "slow.py").write_text(source)
    said = refused("run", "--history", "off", "--engine", "slow:Slow")
    assert "the language engine failed: ValueError: a b" in said
    assert not list((tmp_path / "runtime").glob("*"))


def test_the_engine_of_python_by_its_name(tmp_path: Path) -> None:
    engine = ["--engine", "minikernel.interpreter.python:PythonEngine"]
    with minikernel.launch(cwd=tmp_path, extra_arguments=engine) as client:
        assert client.run("6 * 7").value == "42"


RUDE = """
from minikernel.interpreter.base import LanguageInfo
from minikernel.interpreter.plain import PlainEngine

class Mute(Exception):
    def __str__(self):
        raise ValueError

class Rude(PlainEngine):
    info = LanguageInfo(name="rude", version="1")

    def run(self, code):
        if code == "raise":
            raise Mute
        return {"number": 42, "list": ["a"], "text": "fine"}[code]

    async def execute(self, code, **options):
        if code == "break":
            raise RuntimeError("broken")
        return await super().execute(code, **options)

    def complete(self, code, cursor):
        raise SystemExit(1)

    def save(self):
        raise RuntimeError("not today")
"""


def test_a_kernel_outlives_an_engine_that_breaks_its_word(tmp_path: Path) -> None:
    (tmp_path / "rude.py").write_text(RUDE)
    log = tmp_path / "log.txt"
    options = {"cwd": tmp_path, "extra_arguments": ["--engine", "rude:Rude"]}
    with log.open("wb") as file, minikernel.launch(stderr=file, **options) as client:
        for code, said in {
            "number": "TypeError",
            "list": "TypeError",
            "raise": "Mute",
            "break": "RuntimeError",
        }.items():
            failed = client.run(code)
            assert failed.error is not None
            assert failed.error.ename == said
        msg_id = client.complete("x", 1)
        reply = client.get_shell_msg(timeout=20)
        while reply["parent_header"]["msg_id"] != msg_id:
            reply = client.get_shell_msg(timeout=20)
        assert reply["content"]["ename"] == "SystemExit"
        while "RuntimeError" not in log.read_text():  # a save, once a second
            assert client.auth_status()["control"].verified
        assert client.run("text").value == "fine"
    assert log.read_text().count("RuntimeError") == 1
