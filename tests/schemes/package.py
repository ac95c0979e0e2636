"""A directory as pip leaves it: modules, and the entry points that lead to them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
ALL_FRAMES = HERE.parents[1] / "docs" / "examples" / "all_frames.py"
TWO_NONCES = HERE / "two_nonces.py"


def install(
    directory: Path, names: Mapping[str, str], *modules: Path, package: str = "others"
) -> Path:
    """Put a package there that brings schemes.

    Args:
        directory: is made, if need be.
        names: of the schemes -> "module:attribute".
        modules: files that are copied.
        package: its name.
    """
    about = directory / f"{package}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    lines = [f"{name} = {value}" for name, value in names.items()]
    (about / "entry_points.txt").write_text("\n".join(["[minikernel.schemes]", *lines, ""]))
    for module in modules:
        shutil.copy(module, directory)
    return directory


def install_both(directory: Path) -> Path:
    """The scheme of docs/scheme.md, and one with a handshake."""
    names = {"all-frames": "all_frames:SPEC", "two-nonces": "two_nonces:SPEC"}
    return install(directory, names, ALL_FRAMES, TWO_NONCES)
