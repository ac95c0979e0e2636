"""`pip install` alone makes the kernel appear: what the wheel puts where."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

import minikernel
from minikernel.cli.install import SOURCE
from minikernel.client.manager import own_kernel_spec
from minikernel.wire.message import PROTOCOL_VERSION

ROOT = Path(minikernel.__file__).parent.parent
DATA = f"minikernel-{minikernel.__version__}.data/data/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a source tree")
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(directory.glob("*.whl")))


def test_jupyter_lists_it(
    wheel: zipfile.ZipFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel.extractall(tmp_path)
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("JUPYTER_PATH", os.fspath(tmp_path / DATA / "share" / "jupyter"))
    found = KernelSpecManager().get_all_specs()["minikernel"]
    assert found["resource_dir"].startswith(os.fspath(tmp_path))
    assert found["spec"]["display_name"] == "Python (minikernel)"
    names = {path.name for path in Path(found["resource_dir"]).iterdir()}
    assert names == {path.name for path in SOURCE.iterdir()}


def test_it_is_typed_and_has_what_install_copies(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert "minikernel/py.typed" in names
    assert "minikernel/cli/kernelspec/kernel.json" in names
    assert not [name for name in names if name.startswith("tests")]


def test_the_commands(wheel: zipfile.ZipFile) -> None:
    info = DATA.removesuffix(".data/data/") + ".dist-info"
    points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "minikernel = minikernel.cli.app:main" in points
    assert "jupyter-minikernel = minikernel.cli.app:main" in points


@pytest.mark.parametrize("size", [32, 64])
def test_logos_have_the_size_that_their_name_says(size: int) -> None:
    content = (SOURCE / f"logo-{size}x{size}.png").read_bytes()
    assert struct.unpack(">II", content[16:24]) == (size, size)


def test_it_says_what_the_client_launches() -> None:
    ours = own_kernel_spec().to_dict()
    spec = json.loads((SOURCE / "kernel.json").read_text())
    assert spec["argv"] == ["python", *ours["argv"][1:], "--"]
    for name in ("display_name", "language", "interrupt_mode"):
        assert spec[name] == ours[name]
    assert spec["kernel_protocol_version"] == PROTOCOL_VERSION
