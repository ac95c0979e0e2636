"""One version, told everywhere."""

from __future__ import annotations

import re
from importlib.metadata import version

import minikernel
from minikernel.interpreter.python import PythonEngine
from minikernel.version import __version__


def test_all_tell_the_same() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert minikernel.__version__ == PythonEngine.info.implementation_version == __version__
    assert version("minikernel") == __version__
