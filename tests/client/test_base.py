from __future__ import annotations

import subprocess
import sys

import pytest

import minikernel


def test_the_public_names_are_there() -> None:
    for name in minikernel.__all__:
        assert getattr(minikernel, name).__name__ == name
    assert set(minikernel.__all__) < set(dir(minikernel))
    assert minikernel.__version__
    with pytest.raises(AttributeError):
        _ = minikernel.no_such_name


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys, minikernel; minikernel.ConfigError;"
        " print([m for m in ('zmq', 'traitlets', 'jupyter_client', 'asyncio') if m in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, text=True).strip() == "[]"
