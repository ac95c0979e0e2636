"""The kernelspecs that Jupyter finds."""

from __future__ import annotations

from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager


def installed() -> dict[str, Path]:
    """The folder of each kernelspec, by its name in lower case; of two, the one Jupyter takes."""
    manager = KernelSpecManager(ensure_native_kernel=False)  # not what has no file
    return {name: Path(folder) for name, folder in sorted(manager.find_kernel_specs().items())}
