from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.cli.app import SUBCOMMANDS, main

if TYPE_CHECKING:
    from collections.abc import Callable

# What a kernel's start must not pay for.
FOREIGN = ("traitlets", "jupyter_client", "jupyter_core", "asyncio", "IPython", "prompt_toolkit")


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert said.startswith(f"usage: minikernel {name}")
    assert SUBCOMMANDS[name] in said
    assert all(len(line) <= 100 for line in said.splitlines())


def test_help_lists_the_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert all(f"  {name} " in said for name in SUBCOMMANDS)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([option])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"minikernel {minikernel.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["instal"], "install"),
        (["exce", "x.py"], "exec"),
        (["--verison"], "--version"),
        (["run", "--sheme", "null"], "--scheme"),
        (["run", "--max_age=3"], "--max-age"),
        (["install", "--display_name", "x"], "--display-name"),
        (["console", "--exisitng", "x"], "--existing"),
        (["exec", "--output-file", "x", "y.ipynb"], "--output"),
    ],
)
def test_what_is_misspelt_names_the_nearest(
    arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"did you mean {meant}?" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-x"],
        ["zzz"],
        ["demo", "left over"],
        ["console", "x"],
        ["run", "kernel.json"],
        ["install", "--user", "--sys-prefix"],
        ["exec"],
        ["run", "--guards", "maybe"],
    ],
)
def test_what_is_wrong_takes_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("minikernel: ")
    assert said.err.count("\n") == 1


def test_a_reader_that_goes_away_is_no_traceback(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "minikernel", "exec", "--help"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipe) as process:  # type: ignore[call-overload]
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_run_imports_what_a_kernel_needs_and_no_more() -> None:
    program = "import sys, minikernel.cli.app, minikernel.cli.run; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.splitlines()
    assert "minikernel.kernel.service" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in FOREIGN]
    others = {f"minikernel.cli.{name}" for name in SUBCOMMANDS if name != "run"}
    assert not others & set(loaded)
    assert not [name for name in loaded if name.startswith("minikernel.client")]


@pytest.mark.parametrize("command", [["minikernel"], ["jupyter", "minikernel"]])
def test_it_is_also_a_script_and_a_subcommand_of_jupyter(
    command: list[str], environment: dict[str, Any]
) -> None:
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        [scripts / command[0], *command[1:], "--help"],
        env={**environment, "PATH": f"{scripts}:{environment['PATH']}", "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: minikernel ")


def test_python_dash_m(call: Callable[..., Any]) -> None:
    assert call("--help").out.startswith("usage: minikernel ")
