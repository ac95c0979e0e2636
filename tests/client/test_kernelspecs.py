"""The kernelspecs that Jupyter finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.client import kernelspecs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_of_two_with_one_name_jupyter_takes_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name in (("a", "Same"), ("b", "same"), ("b", "other")):
        folder = tmp_path / place / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text("{}")
    (tmp_path / "a" / "kernels" / "no spec").mkdir()
    monkeypatch.setenv("JUPYTER_PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    found = kernelspecs.installed()
    assert found["same"] == tmp_path / "a" / "kernels" / "Same"
    assert found["other"] == tmp_path / "b" / "kernels" / "other"
    assert list(found) == sorted(found)
