"""`minikernel install`: a kernelspec that names this interpreter."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import start_new_kernel

from minikernel.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Any]

FILES = ["kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"]
UNNEEDED = {
    *("argparse", "jupyter_client", "jupyter_core", "traitlets", "IPython"),
    *("asyncio", "jedi", "sqlite3", "ctypes", "logging", "matplotlib"),
}


def spec_in(directory: Path) -> dict[str, Any]:
    assert sorted(path.name for path in directory.iterdir()) == FILES
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]
    spec: dict[str, Any] = json.loads((directory / "kernel.json").read_text())
    assert spec["argv"][0] == sys.executable
    return spec


def test_for_this_user(call: Command, tmp_path: Path) -> None:
    done = call("install")
    assert (done.code, done.err) == (0, "")
    target = tmp_path / "data" / "kernels" / "minikernel"
    assert str(target) in done.out
    assert spec_in(target) == {
        "argv": [sys.executable, "-m", "minikernel", "run", "-f", "{connection_file}", "--"],
        "display_name": "Python (minikernel)",
        "language": "python",
        "env": {"PYTHONSAFEPATH": "1"},
        "interrupt_mode": "signal",
        "kernel_protocol_version": "5.5",
        "metadata": {"debugger": False, "supported_encryption": ["curve"]},
    }


def test_for_a_prefix(call: Command, tmp_path: Path) -> None:
    options = ["--prefix", "p", "--name", "Mine.2", "--display-name", "Meins é"]
    done = call("install", *options, "--env", "A", "1", "--env", "B", "x=y")
    assert (done.code, done.err) == (0, "")
    spec = spec_in(tmp_path / "p" / "share" / "jupyter" / "kernels" / "mine.2")
    assert (spec["display_name"], spec["env"]) == (
        "Meins é",
        {"PYTHONSAFEPATH": "1", "A": "1", "B": "x=y"},
    )


def test_for_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert app.main(["install", "--sys-prefix"]) == 0
    spec_in(tmp_path / "share" / "jupyter" / "kernels" / "minikernel")


def test_another_name_stands_in_menus_too(call: Command, tmp_path: Path) -> None:
    call("install", "--name", "other")
    spec = spec_in(tmp_path / "data" / "kernels" / "other")
    assert spec["display_name"] == "Python (other)"


def test_an_older_kernelspec_is_replaced_whole(call: Command, tmp_path: Path) -> None:
    target = tmp_path / "data" / "kernels" / "minikernel"
    target.mkdir(parents=True)
    (target / "kernel.js").touch()
    assert call("install").code == 0
    spec_in(target)


def test_what_a_link_points_to_is_left_alone(call: Command, tmp_path: Path) -> None:
    target = tmp_path / "data" / "kernels" / "minikernel"
    target.parent.mkdir(parents=True)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "kernel.json").touch()
    target.symlink_to(tmp_path / "source")
    assert call("install").code == 0
    spec_in(target)
    assert (tmp_path / "source" / "kernel.json").read_text() == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--name", "a b"], "--name 'a b': take letters"),
        (["--name", ".."], "--name '..': take letters"),
        (["--name", ""], "--name '': take letters"),
        (["--env", "A=B", "C"], "--env 'A=B': that can't name an environment variable"),
        (["--env", "", "C"], "--env '': that can't name an environment variable"),
        (["--prefix", "file"], "can't write"),
    ],
)
def test_what_is_refused(call: Command, tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "file").touch()
    done = call("install", *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"minikernel: {said}")
    assert not (tmp_path / "data" / "kernels" / "minikernel").exists()


def test_jupyter_starts_it(call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("install", "--prefix", str(tmp_path), "--name", "here", "--env", "GREETING", "hello")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    spec = KernelSpecManager().get_all_specs()["here"]
    assert spec["resource_dir"] == str(tmp_path / "share" / "jupyter" / "kernels" / "here")
    with (tmp_path / "terminal.txt").open("w") as terminal:
        manager, client = start_new_kernel(20, "here", stdout=terminal, stderr=terminal)
        try:
            code = "import os, sys\nprint(os.environ['GREETING'], *sys.modules)"
            seen: list[str] = []
            client.execute_interactive(
                code, timeout=20, output_hook=lambda m: seen.append(m["content"].get("text", ""))
            )
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
    greeting, *modules = "".join(seen).split()
    assert greeting == "hello"
    assert not UNNEEDED & set(modules)
    assert (tmp_path / "terminal.txt").read_text() == ""
