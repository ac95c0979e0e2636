"""Where kernelspecs are written: what was there is there until the new one is."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import pytest

from minikernel.cli import places
from minikernel.errors import ConfigError


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    places.add_places(parser)
    return parser.parse_args(words)


def test_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/x")
    below = Path("share") / "jupyter" / "kernels"
    for words, folder in (
        ([], tmp_path / "kernels"),
        (["--user"], tmp_path / "kernels"),
        (["--sys-prefix"], sys.prefix / below),
        (["--prefix", "/opt"], "/opt" / below),
        (["--prefix", "~/env"], "/home/x/env" / below),
        (["--prefix", "env"], Path.cwd() / "env" / below),
    ):
        assert places.kernels(asked(*words)) == folder
        assert places.is_named(asked(*words)) == bool(words)


def fail(folder: Path) -> None:
    (folder / "half").touch()
    raise OSError(28, "No space left on device")


def fail_to_copy(folder: Path) -> None:
    raise shutil.Error([("from", str(folder), "Permission denied")])


@pytest.mark.parametrize(
    ("fill", "said"), [(fail, "No space left on device"), (fail_to_copy, "Permission denied")]
)
def test_an_older_one_stays_if_there_is_no_new_one(tmp_path: Path, fill: object, said: str) -> None:
    args = asked("--prefix", str(tmp_path))
    target = places.kernels(args) / "x"
    target.mkdir(parents=True)
    (target / "kernel.json").write_text("old")
    with pytest.raises(ConfigError, match=said):
        places.install(args, "x", {"display_name": "X"}, fill)  # type: ignore[arg-type]
    assert (target / "kernel.json").read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_an_older_one_is_replaced_whole(tmp_path: Path) -> None:
    args = asked("--prefix", str(tmp_path))
    target = places.kernels(args) / "x"
    target.mkdir(parents=True)
    (target / "old").touch()
    places.install(args, "x", {"display_name": "é"}, lambda folder: (folder / "logo").touch())
    assert sorted(path.name for path in target.iterdir()) == ["kernel.json", "logo"]
    assert json.loads((target / "kernel.json").read_text()) == {"display_name": "é"}
    assert list(target.parent.iterdir()) == [target]


def test_remove(tmp_path: Path) -> None:
    (tmp_path / "x" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "x")
    places.remove(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    places.remove(tmp_path / "x")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"can't remove .*: No such file"):
        places.remove(tmp_path / "x")
