"""The documents: links resolve, tables are those of the code, examples say what they shall.

That commands and examples run at all is the business of test_commands.py.
"""

from __future__ import annotations

import argparse
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from minikernel.auth.channel_hmac.frames import (
    CHALLENGE_LENGTH,
    CODES,
    ENTRIES,
    ENTRY,
    HELLO_MIN,
    TAGGED,
    Type,
)
from minikernel.auth.channel_hmac.joining import BIND_AGAIN, PATIENCE
from minikernel.auth.channel_hmac.sessions import SessionLimits
from minikernel.auth.rights import REQUIRED, Right
from minikernel.cli.app import SUBCOMMANDS
from minikernel.cli.bottom import verdicts
from minikernel.client.ledger import Ledger, Row
from minikernel.kernel.publisher import GREETINGS
from minikernel.lab.attacks import ATTACKS, BY_TITLE
from minikernel.lab.columns import COLUMNS
from minikernel.lab.evidence import Outcome
from minikernel.lab.matrix import as_expected
from minikernel.transport.sockets import BURST, IOPUB_QUEUE, MAX_MESSAGE, MIB, REQUEST_QUEUE
from minikernel.wire.channels import CONTROL_REQUESTS, Channel
from minikernel.wire.frames import LIMITS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "notebooks/README.md"])
README = ROOT / "README.md"
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MODULES = "auth|cli|client|interpreter|kernel|lab|protocol|tcp|transport|wire"
MODULE = re.compile(rf"`((?:{MODULES})/\w+\.py)`")
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|Users|tmp)/")

each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def blocks(path: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(path.read_text()) if found == language]


def prose(path: Path) -> str:
    return BLOCK.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@each_document
def test_links_resolve(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.is_relative_to(ROOT), link
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target), link


@each_document
def test_no_path_of_a_machine(path: Path) -> None:
    assert not MACHINE.search(path.read_text())


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [README]
    while ahead:
        path = ahead.pop()
        reached.add(path)
        links = (link.partition("#")[0] for link in LINK.findall(prose(path)))
        found = {(path.parent / link).resolve() for link in links if link.endswith(".md")}
        ahead += [target for target in found if target not in reached]
    numbered = set((ROOT / "docs" / "adr").glob("*.md"))  # one leads to the others
    assert set(DOCUMENTS) - reached <= numbered


def test_the_subcommands_are_all_in_the_readme() -> None:
    text = README.read_text()
    assert all(f"minikernel {name}" in text or f"make {name}" in text for name in SUBCOMMANDS)


def test_the_options_of_run_are_all_in_the_readme() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module("minikernel.cli.run").configure(parser)
    table = README.read_text().partition("## Options of `minikernel run`")[2]
    assert set(re.findall(r"(?<=`)--?[a-z-]+", table)) == set(parser._option_string_actions)


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_example(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    first, *tables = done.stdout.splitlines()
    assert first == "hello"
    assert tables[0].strip() == "42"
    assert sum(line.startswith("channel ") for line in tables) == 2
    assert "bad signature" not in done.stdout


@each_document
def test_modules_exist(path: Path) -> None:
    for module in MODULE.findall(path.read_text()):
        assert (ROOT / "minikernel" / module).is_file()


def test_the_protocol_page_has_the_limits_and_the_table_of_the_code() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    assert all(f"`{request}`" in text for request in CONTROL_REQUESTS)
    assert f"| {LIMITS.before}, {LIMITS.after:,} |" in text
    assert MAX_MESSAGE[Channel.SHELL] == 256 * MIB
    assert MAX_MESSAGE[Channel.CONTROL] == MAX_MESSAGE[Channel.STDIN] == MIB
    assert (MAX_MESSAGE[Channel.HEARTBEAT], MAX_MESSAGE[Channel.IOPUB]) == (4096, 1024)
    assert "| 256 MiB; 1 MiB; 4 KiB; 1 KiB |" in text
    assert f"greetings in a second | {GREETINGS};" in text
    assert f"wait in the kernel | {REQUEST_QUEUE};" in text
    assert f"reads slowly | {IOPUB_QUEUE:,};" in text
    assert f"in a row | {BURST};" in text


def test_the_table_of_rights_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "channel-hmac.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z]+)` \| (.*) \|$", text, re.MULTILINE))
    assert list(rows) == [str(right.name).lower() for right in Right]
    said = {kind: right for right, row in rows.items() for kind in re.findall(r"`(\w+_\w+)`", row)}
    needed = {kind: Right(bits & ~Right.EXECUTE or bits) for kind, bits in REQUIRED.items()}
    assert said == {kind: str(right.name).lower() for kind, right in needed.items()}


@pytest.mark.parametrize("code", blocks(ROOT / "docs" / "channel-hmac.md", "python"))
def test_example_of_channel_hmac(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[0] == "42"
    assert said.out.splitlines()[-1] == "()"


def test_the_api_page_has_every_public_name() -> None:
    minikernel = importlib.import_module("minikernel")
    text = (ROOT / "docs" / "api.md").read_text()
    assert set(re.findall(r":: minikernel\.(\w+)$", text, re.MULTILINE)) == set(minikernel.__all__)


def test_the_schemes_page_counts_as_the_lab_does() -> None:
    text = (ROOT / "docs" / "schemes.md").read_text()
    said = dict(re.findall(r"^\|[^|]*\| `([a-z-]+)` \|.*\| (\d+) \|$", text, re.MULTILINE))
    findings = [f for f in as_expected(COLUMNS, ATTACKS) if f.outcome is Outcome.THROUGH]
    assert said == {c.name: str(sum(f.column == c.name for f in findings)) for c in COLUMNS}
    assert f"of the {len(ATTACKS)} attacks" in text
    assert f"{len(ATTACKS)} attacks" in README.read_text()
    remote = (ROOT / "docs" / "remote.md").read_text()
    assert f"[{said['jupyter-hmac']} of {len(ATTACKS)} attacks]" in remote


def test_the_attacks_that_a_page_names_exist() -> None:
    known = set(BY_TITLE)
    for name in ("schemes.md", "threat-model.md"):
        text = (ROOT / "docs" / name).read_text()
        named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text))
        assert named - {column.name for column in COLUMNS} - {"hmac-sha256"} <= known


def test_the_compat_page_has_the_bounds_of_the_project() -> None:
    text = (ROOT / "docs" / "compat.md").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    bounds = re.findall(r"`(\w[\w-]*[>=]=[^`]*)`", text)
    assert bounds
    assert all(f'"{bound}"' in project for bound in bounds)
    files = re.findall(r"`(test_\w+\.py)`", text)
    assert all((ROOT / "tests" / "integration" / name).exists() for name in files)


def test_the_picture_of_the_matrix_is_that_of_the_table() -> None:
    pictures = ROOT / "docs" / "pictures"
    drawn = runpy.run_path(str(pictures / "matrix.py"))["picture"]()
    assert (pictures / "matrix.svg").read_text() == drawn, "make docs-pictures"


def test_the_picture_of_the_console_shows_one() -> None:
    picture = (ROOT / "docs" / "pictures" / "console.svg").read_text()
    shown = re.sub(r"<[^>]*>", "", picture)
    assert "hello, Ada" in shown
    assert "ZeroDivisionError" in shown
    empty = verdicts(Ledger([Row(channel=c) for c in ("shell", "control", "stdin", "iopub")]), None)
    bottom = next(line for line in shown.splitlines() if "rejected" in line)
    assert re.sub(r"\d+( ok)?", "0", bottom).strip() == empty.strip()
    assert picture.count("http") == 1  # the namespace of SVG: nothing is loaded from elsewhere


def test_the_version_is_in_the_changelog() -> None:
    minikernel = importlib.import_module("minikernel")
    assert minikernel.__version__ in (ROOT / "CHANGELOG.md").read_text()


SPECIFICATION = ROOT / "docs" / "channel-hmac-specification.md"
CITATION = re.compile(r"\bsections? (\d+(?:(?:, | and )\d+)*)(?:, steps? (\d+)(?: to (\d+))?)?")
OTHERS = re.compile(r"(RFC \d+, |ECMA-48, |Cookbook\W.{0,20})$")  # have sections too


def citations() -> list[tuple[Path, str, int, list[int]]]:
    """What code, tests and documents cite of the specification: file, text, section, steps."""
    found = []
    folders = ("minikernel", "tests", "benchmarks", "docs")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    for path in [*DOCUMENTS, *ROOT.glob("notebooks/*.md"), *sources]:
        text = " ".join(re.sub(r"\n[#\s]*", " ", path.read_text()).split())
        for match in CITATION.finditer(text):
            if not OTHERS.search(text[: match.start()]):
                first, last = match[2], match[3] or match[2]
                steps = list(range(int(first), int(last) + 1)) if first else []
                sections = re.findall(r"\d+", match[1])
                found += [(path, match[0], int(section), steps) for section in sections]
    return found


def test_each_section_that_is_cited_is_in_the_specification() -> None:
    text = SPECIFICATION.read_text()
    headings = [int(n) for n in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert headings == list(range(1, 9))
    order = text.partition("## 5. ")[2].partition("\n## ")[0]
    steps = [int(n) for n in re.findall(r"^(\d)\. ", order, re.MULTILINE)]
    assert steps == list(range(1, 9))
    cited = citations()
    assert len(cited) > 60
    for path, said, section, of_it in cited:
        assert section in headings, (path, said)
        assert not of_it or (section == 5 and set(of_it) <= set(steps)), (path, said)


def test_the_specification_has_the_constants_of_the_code() -> None:
    text = SPECIFICATION.read_text()
    limits = SessionLimits()
    assert f"There are {limits.sessions}, `--sessions`" in text
    assert f"less than {limits.challenges} times in the last second" in text
    assert f"({limits.nonces:,} of each (id, rights)" in text
    assert f"at most {limits.unconfirmed} of each (id, rights)" in text
    assert f"silent for {limits.silence:.0f} seconds, or for {limits.silence_at_work:.0f}" in text
    assert (limits.idle, limits.welcomes, limits.unconfirmed_age) == (15 * 60, 5, 10)
    assert f"every {BIND_AGAIN} seconds" in text
    assert f"at most {PATIENCE:.0f} seconds each" in text
    for kind in Type:
        assert f"{kind.value} {kind.name}" in text
    for channel, code in CODES.items():
        assert f"{'heartbeat' if channel is Channel.HEARTBEAT else channel.value} {code}" in text
    lengths = f"HELLO {HELLO_MIN} + len(id), CHALLENGE {CHALLENGE_LENGTH}"
    assert f"{lengths}, DATA, PING and PONG {TAGGED}" in " ".join(text.split())
    assert f"PUBLISH {ENTRIES} + {ENTRY} m" in text
    assert all(f"{right.value} {str(right.name).lower()}" in text for right in Right)
