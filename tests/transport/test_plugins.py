"""Schemes of other packages: found where pip puts them, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minikernel.auth import registry
from minikernel.auth.registry import SCHEMES
from minikernel.errors import ConfigError
from minikernel.transport import plugins
from tests.schemes.package import ALL_FRAMES, install

ROOT = Path(__file__).parents[2]
MINE = {"all-frames": "all_frames:SPEC"}
FIND = "import sys; from minikernel.transport import plugins; "
EVIL = "import pathlib; pathlib.Path({!r}).touch(); SPEC = None"


def python(code: str, *path: Path | str, cwd: Path) -> str:
    """What a fresh process says, with these directories first on its sys.path."""
    entries = f"import sys; sys.path[:0] = {[str(entry) for entry in path]!r}; "
    done = subprocess.run(
        [sys.executable, "-c", entries + FIND + code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def hostile(directory: Path, *names: str) -> Path:
    """A package that tells by a file that it was imported; the path of the file."""
    traces = directory.parent / "it ran"
    directory.mkdir(exist_ok=True)
    module = directory / "evil.py"
    module.write_text(EVIL.format(str(traces)))
    install(directory, dict.fromkeys(names, "evil:SPEC"), package="evil")
    return traces


def test_a_scheme_that_was_installed(tmp_path: Path, empty: Path) -> None:
    path = install(tmp_path / "site", MINE, ALL_FRAMES)
    said = python("print(plugins.find('all-frames').traits.covers)", path, cwd=empty)
    assert said == "all\n"


@pytest.mark.parametrize("entry", ["", ".", "here", "../evil/../evil", "linked"])
def test_none_in_the_working_directory(tmp_path: Path, entry: str) -> None:
    here = tmp_path / "evil"
    traces = hostile(here, "mine")
    (tmp_path / "linked").symlink_to(here)
    named: dict[str, Path | str] = {"here": here, "linked": tmp_path / "linked"}
    said = python("plugins.find('mine')", named.get(entry, entry), cwd=here)
    assert "ConfigError: unknown signature_scheme 'mine'" in said
    assert not traces.exists()
    elsewhere = python("plugins.find('mine')", here, cwd=tmp_path)
    assert "is no Spec" in elsewhere, "from elsewhere it would be taken"
    assert traces.exists()


def test_none_by_a_path_that_begins_there(tmp_path: Path) -> None:
    traces = hostile(tmp_path / "below", "mine")
    said = python("plugins.find('mine')", "below", cwd=tmp_path)
    assert "ConfigError: unknown signature_scheme 'mine'" in said
    assert not traces.exists()


def test_its_module_is_not_taken_from_there_either(tmp_path: Path) -> None:
    site, here = install(tmp_path / "site", MINE, ALL_FRAMES), tmp_path / "here"
    traces = hostile(here)
    (here / "evil.py").rename(here / "all_frames.py")
    code = "print(plugins.find('all-frames').kernel.__module__, sys.path[0] == '')"
    assert python(code, "", here, site, cwd=here) == "all_frames True\n"
    assert not traces.exists()


def test_a_kernel_does_not_take_one_from_there(tmp_path: Path) -> None:
    traces = hostile(tmp_path / "here", "mine")
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "run", "--scheme", "mine"],
        cwd=tmp_path / "here",
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "unknown signature_scheme 'mine'" in done.stderr
    assert not traces.exists()


def test_never_in_place_of_a_scheme_of_the_table(tmp_path: Path, empty: Path) -> None:
    names = [*SCHEMES, "hmac-sha256", "hmac-md5", "hmac-mine"]
    traces = hostile(tmp_path / "site", *names)
    code = f"print([n for n in {names} if plugins.find(n).kernel.__module__ == 'evil'])"
    assert python(code, tmp_path / "site", cwd=empty) == "[]\n"
    assert not traces.exists()


def test_who_runs_a_scheme_of_the_table_looks_up_no_packages(empty: Path) -> None:
    for name in SCHEMES:
        code = f"plugins.find({name!r}); print('importlib.metadata' in sys.modules)"
        assert python(code, cwd=empty) == "False\n"


def test_a_package_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"broken": "broken:SPEC", "missing": "all_frames:NOTHING", "other": "all_frames:NAME"}
    path = install(tmp_path / "site", names, ALL_FRAMES)
    (path / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(path)
    before = list(sys.path)
    for name, value in names.items():
        with pytest.raises(ConfigError, match=value) as caught:
            plugins.find(name)
        assert sys.path == before
        assert name not in registry.SCHEMES
        assert repr(name) in str(caught.value)


def test_two_packages_that_bring_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in ("one", "two"):
        install(tmp_path / "site", {"both": f"{n}:SPEC"}, package=n)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ConfigError, match="several packages"):
        plugins.find("both")


def test_a_working_directory_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="there are: "):
        plugins.find("mine")
