"""Every command and every piece of Python in the documents is run, page by page, as a reader does.

A page has a directory of its own. What is written in capitals there (`FILE`) is put in. What can't
be run stands in `NOT_RUN`, with the reason and with what is checked instead.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nbformat
import pexpect
import pytest

from minikernel.cli.app import SUBCOMMANDS
from tests.schemes.package import install_both

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "notebooks/README.md"])
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATIENCE = 60  # seconds for any one command
EXAMPLE = ROOT / "docs" / "examples" / "calculator.py"
# A page that makes readers watch has an owner.json, with which somebody runs cells meanwhile.
WATCHING = "get_iopub_msg"
BUSY = "import minikernel, sys\nwith minikernel.connect(sys.argv[1]) as c:\n while True: c.run('1')"


class Excuse(NamedTuple):
    """Why a command is not run, a check that is made instead, and what stands in for it."""

    reason: str
    check: Callable[[str], bool]
    instead: str = ""


ATTACHING = ("allow_external_kernels", "external_connection_dir")


def is_target(command: str) -> bool:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(command.split()[1:]) <= set(targets)


def installs_an_extra(command: str) -> bool:
    text = (ROOT / "pyproject.toml").read_text()
    extras = re.findall(r"\[(\w+)\]'", command)
    return bool(extras) and all(f"\n{extra} = [" in text for extra in extras)


def is_a_tool(command: str) -> bool:
    program, *arguments = command.split()
    paths = [argument for argument in arguments if "/" in argument]
    installed = shutil.which(Path(program).name, path=Path(sys.executable).parent)
    return installed is not None and all((ROOT / path).exists() for path in paths)


NOT_RUN = {
    r"make [a-z-]+": Excuse("it runs these tests, or takes longer than they", is_target),
    r"pip install .*": Excuse("it needs PyPI; `make test` has done it", installs_an_extra),
    r"\.venv/bin/(?!python -X).*": Excuse("`make test` runs it on all files", is_a_tool),
    r"minikernel lab": Excuse("minutes; tests/lab plays all of it", lambda _: "lab" in SUBCOMMANDS),
    r"jupyter lab .*": Excuse(
        "it goes on; tests/integration/test_attaching.py does it",
        lambda command: all(f"ServerApp.{name}=" in command for name in ATTACHING),
    ),
    r"scp .*": Excuse("it needs another machine", lambda _: True, "cp FILE kernel.json"),
    r"ssh .*": Excuse(
        "likewise", lambda command: "forwards" in command, "test $(wc -w < forwards) -eq 10"
    ),
}


def steps(path: Path) -> list[tuple[str, str]]:
    """What a reader of this page does: ("console", a line) or ("python", a block)."""
    found = []
    for language, block in BLOCK.findall(path.read_text()):
        pieces = block.splitlines() if language == "console" else [block]
        found += [(language, piece) for piece in pieces]
    return found


PAGES = [path for path in DOCUMENTS if steps(path)]
FIRST = ("README.md", "use.md")  # pages that everybody reads; `make test` looks at these


def excuse(command: str) -> Excuse | None:
    return next((why for what, why in NOT_RUN.items() if re.fullmatch(what, command)), None)


class Reader:
    """Does what a page says, in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: list[subprocess.Popen[str]] = []
        self.port = ""  # of the echo server
        self.put_in = {
            "ADDRESS": "127.0.0.1",
            "DIRECTORY": str(directory),
            "/opt/jupyter": str(directory / "opt"),
        }
        programs = directory / "bin"
        programs.mkdir()
        for name, module in {"minikernel": "-m minikernel", "jupyter": "-m jupyter"}.items():
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
            (programs / name).chmod(0o755)
        (programs / "python3").symlink_to(sys.executable)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))}
        self.environment = {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{install_both(directory / 'site-packages')}",
            "JUPYTER_DATA_DIR": str(directory / "data"),
            "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
            "JUPYTER_CONFIG_DIR": str(directory / "config"),
            "IPYTHONDIR": str(directory / "ipython"),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        shutil.copy(EXAMPLE, directory)
        (directory / "report.py").write_text("import sys\nprint(sys.argv)\n")
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
        for name in ("notebook", "analysis"):
            nbformat.write(book, directory / f"{name}.ipynb")

    def follow(self, language: str, text: str) -> None:
        if language == "python":
            self.run_python(text)
            return
        why = excuse(text)
        if why is not None:
            assert why.check(text), text
            text = why.instead
        for placeholder, value in self.put_in.items():
            text = re.sub(rf"(?<![\w:]){placeholder}\b", value, text)
        text = text.replace(".venv/bin/python", "python3")
        if text.startswith("minikernel run"):
            self.put_in["FILE"] = self.put_in["PATH"] = said = self.start(text)
            assert Path(said).is_file(), said
        elif text.startswith("minikernel echo serve"):  # on any port: 18000 may be taken
            self.port = self.start(f"{text.removesuffix('&')} --port 0").rpartition(" ")[2]
        elif text.startswith("minikernel echo send"):
            self.finish(["bash", "-c", f"{text} --port {self.port}"])
        elif re.match(r"\w+ console\b", text):
            self.use_console(text)
        elif text:
            self.finish(["bash", "-euo", "pipefail", "-c", text])

    def start(self, command: str) -> str:
        """Start what runs until the page's end; the first line that it says."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def finish(self, command: list[str]) -> str:
        """Run a command to its end; what it said on stderr."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done
        return done.stderr

    def run_python(self, code: str) -> None:
        if code.startswith("c."):  # of a jupyter_*_config.py
            code = f"from traitlets.config import get_config\nc = get_config()\n{code}"
        if WATCHING in code:
            command = [sys.executable, "-c", BUSY, str(self.directory / "owner.json")]
            self.running.append(
                subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL)
            )
        assert self.finish([sys.executable, "-c", code]) == ""

    def use_console(self, command: str) -> None:
        """Wait for the prompt, or the line of one who may only watch, and leave."""
        if command.startswith("jupyter"):
            command += " --ZMQTerminalInteractiveShell.simple_prompt=True"
        child = pexpect.spawn(
            "bash",
            ["-c", f"exec {command}"],
            cwd=self.directory,
            env=self.environment,
            timeout=PATIENCE,
            encoding="utf-8",
            dimensions=(24, 120),
        )
        try:
            child.expect_exact(["In [", "watching, Ctrl-D ends"])
            child.send("\x04")
            while child.expect(["Do you really want to exit", pexpect.EOF]) == 0:
                child.sendline("y")
            child.close()
            assert child.exitstatus == 0, command
        finally:
            child.close(force=True)

    def leave(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=PATIENCE)
            process.kill()
            process.communicate()


@pytest.fixture
def reader() -> Iterator[Reader]:
    with tempfile.TemporaryDirectory(prefix="page-") as directory:
        somebody = Reader(Path(directory).resolve())
        yield somebody
        somebody.leave()


@pytest.mark.timeout(300)  # many commands
@pytest.mark.parametrize(
    "path",
    [path if path.name in FIRST else pytest.param(path, marks=pytest.mark.slow) for path in PAGES],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_page(path: Path, reader: Reader) -> None:
    for language, text in steps(path):
        reader.follow(language, text)


def test_what_is_not_run_stands_in_a_document() -> None:
    commands = [text for path in PAGES for language, text in steps(path) if language == "console"]
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, command) for command in commands), pattern


def test_the_documents_have_no_other_way_to_say_commands() -> None:
    for path in DOCUMENTS:
        fences = set(re.findall(r"^ *```(\S+)", path.read_text(), re.MULTILINE))
        assert fences <= {"console", "python", "{toctree}", "{eval-rst}", "{literalinclude}"}, path
