"""Rules of CONTRIBUTING.md that no linter knows."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minikernel"
FILES = sorted(
    file
    for folder in ("benchmarks", "docs", "minikernel", "notebooks", "tests")
    for file in (ROOT / folder).rglob("*.py")
)
EXCEPTION = re.compile(r"\bnoqa\b(.*)")
REASON = re.compile(r": [A-Z]+\d+(, [A-Z]+\d+)* - \S")
UNTESTED = {
    "__main__",
    "auth/locks",
    *(f"cli/{name}" for name in ("capture", "interrupts", "others", "watch")),
    "client/inbox",
    "interpreter/script",
    *(f"kernel/{name}" for name in ("comms", "frontend", "options")),
    *(f"kernel/{name}" for name in ("refusals", "service", "serving", "shell")),
    *(f"kernel/{name}" for name in ("signals", "text")),
    *(f"lab/{name}" for name in ("network/relay", "people", "stage")),
    # Each attack is played on each scheme by lab/test_matrix.py.
    *(f"lab/attacks/{name}" for name in ("changing", "disturbing", "forging", "handshakes")),
    *(f"lab/attacks/{name}" for name in ("heartbeats", "insiders", "losses", "ordering")),
    *(f"lab/attacks/{name}" for name in ("reading", "reflecting", "replaying", "routing")),
}
"""Modules without a test file of their own: what they do is tested through others. The list may
only get shorter."""


def modules() -> set[str]:
    files = (file for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")
    return {file.relative_to(PACKAGE).with_suffix("").as_posix() for file in files}


def test_a_module_has_a_test_file_of_its_own() -> None:
    tested = {
        file.relative_to(ROOT / "tests").with_name(file.name.removeprefix("test_"))
        for file in (ROOT / "tests").rglob("test_*.py")
    }
    untested = modules() - {file.with_suffix("").as_posix() for file in tested}
    assert not untested - UNTESTED, "write a test"
    assert not UNTESTED - untested, "strike these off the list"


def exceptions(file: Path) -> Iterator[tuple[int, str]]:
    """The lines with a `noqa`, and what comes after it."""
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type == tokenize.COMMENT and (found := EXCEPTION.search(token.string)):
            yield token.start[0], found[1]


def test_an_exception_from_a_rule_has_its_reason() -> None:
    found = ((file.relative_to(ROOT), *each) for file in FILES for each in exceptions(file))
    assert not [f"{file}:{line}" for file, line, said in found if not REASON.match(said)]


LARGE = {
    "ChannelEnd",
    "ClientChannelHmac",
    "ClientConnection",
    "KernelEnd",
    "MiniKernelManager",
    "PythonEngine",
    "Stage",
    "Streams",
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MOST_LINES, MOST_METHODS = 250, 20


def test_a_large_class_has_its_reason() -> None:
    large = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                methods = sum(isinstance(n, FUNCTIONS) for n in node.body)
                if lines > MOST_LINES or methods > MOST_METHODS:
                    large.add(node.name)
    assert large == LARGE
    said = (ROOT / "docs" / "adr" / "0018-classes-that-are-large.md").read_text()
    assert all(f"`{name}`" in said for name in LARGE)
