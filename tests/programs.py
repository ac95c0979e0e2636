"""Programs that run in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent


def said_by(before: str, code: str) -> str:
    """What a program says that ends well, and complains of nothing."""
    done = subprocess.run(
        [sys.executable, "-c", before + dedent(code)],
        capture_output=True,
        check=False,
        timeout=100,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
