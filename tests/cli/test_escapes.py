"""Nothing that strangers have named or written acts on the terminal, whatever prints it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.cli.app import main
from minikernel.transport import connection

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "\x1b]0;t\x07\x9b2J\x1b[2J\u202e\x08\x7f"
COLOURS = {"\x1b[31m", "\x1b[0m"}
KERNEL = connection.new_fields(
    transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="00" * 32
)
RUN = ("run", "-f", "kernel.json")
COMMANDS: list[tuple[list[str], dict[str, Any]]] = [
    ([f"no{EVIL}"], {}),
    ([f"--no{EVIL}"], {}),
    (["exec", f"{EVIL}.py"], {}),
    (["exec", f"{EVIL}.ipynb"], {}),
    (["exec", f"{EVIL}.txt"], {}),
    (["exec", "--timeout", EVIL, "x.ipynb"], {}),
    (["exec", "x.ipynb", "--output", f"{EVIL}/x"], {}),
    (["exec", "r.ipynb"], {}),
    (["console", f"--no{EVIL}"], {}),
    (["console", "--kernel", f"no{EVIL}"], {}),
    (["console", "--existing", f"{EVIL}.json"], {}),
    (["console", "--existing", "kernel.json"], {"signature_scheme": EVIL}),
    (["console", "--existing", "kernel.json"], {"transport": EVIL}),
    (["console", "--existing", "kernel.json"], {"ip": EVIL}),
    (["console", "--existing", "kernel.json"], {"client_id": EVIL, "client_rights": EVIL}),
    ([*RUN], {"signature_scheme": EVIL}),
    ([*RUN], {"transport": EVIL}),
    ([*RUN], {"ip": EVIL}),
    ([*RUN], {"kernel_name": EVIL, "key": EVIL, "shell_port": EVIL}),
    ([*RUN, "--refuse", EVIL], {}),
    ([*RUN, "--refuse", "alice"], {"signature_scheme": EVIL}),
    ([*RUN, "--scheme", EVIL], {}),
    ([*RUN, "--engine", f"no{EVIL}:no"], {}),
    (["run", "-f", f"{EVIL}.json"], {}),
    (["invite", "kernel.json", "alice", "observe"], {"signature_scheme": EVIL}),
    (["invite", "kernel.json", EVIL, "observe"], {}),
    (["invite", "kernel.json", "alice", EVIL], {}),
    (["invite", "kernel.json", "alice", "observe", "--output", f"{EVIL}.json"], {}),
    (["invite", f"{EVIL}.json", "alice", "observe"], {}),
    (["admit", "kernel.json", f"{EVIL}.json"], {}),
    (["admit", f"{EVIL}.json", "client.json"], {}),
    (["install", "--name", EVIL], {}),
    (["install", "--prefix", f"p{EVIL}", "--display-name", EVIL], {}),
    (["install", "--env", EVIL, "1"], {}),
    (["lab", "--attack", EVIL], {}),
    (["lab", "--explain", EVIL], {}),
    (["echo", f"--no{EVIL}"], {}),
    (["demo", EVIL], {}),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("Ada\n"))
    return tmp_path


def notebook(path: Path, *cells: str, **metadata: Any) -> None:
    book = {"nbformat": 4, "nbformat_minor": 4, "metadata": metadata}
    code = [{"cell_type": "code", "metadata": {}, "source": cell} for cell in cells]
    path.write_text(json.dumps({**book, "cells": code}))


def harmless(text: str) -> bool:
    for colour in COLOURS:
        text = text.replace(colour, "")
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.mark.parametrize(("arguments", "fields"), COMMANDS)
def test_commands_and_their_errors(
    here: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    fields: dict[str, Any],
) -> None:
    (here / "kernel.json").write_text(json.dumps(KERNEL | fields))
    (here / "kernel.json").chmod(0o600)
    notebook(here / "x.ipynb", "1")
    notebook(here / "r.ipynb", "1", kernelspec={"language": EVIL, "display_name": EVIL})
    code = main(arguments)
    out, err = capfd.readouterr()
    assert out + err
    assert code == 2 or arguments[0] == "install"
    assert harmless(out + err), repr(out + err)


def test_a_notebook_and_its_kernel(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = f"{EVIL}.ipynb"
    evil = "".join(f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in EVIL)
    cells = [f"x = input('{evil}? ')  # {EVIL}", f"print('{evil}')", f"raise OSError('{evil}')"]
    notebook(here / name, *cells)
    assert main(["exec", "--allow-errors", name]) == 0
    assert main(["exec", name]) == 1
    out, err = capfd.readouterr()
    assert "OSError" in err
    assert harmless(out + err), repr(out + err)
