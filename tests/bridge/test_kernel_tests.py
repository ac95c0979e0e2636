"""jupyter_kernel_test gives with a protected kernel what it gives with the bare one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bridge.protected import IPYKERNEL, KERNELS, XEUS

SUITE = Path(__file__).parents[1] / "integration" / "test_kernel_tests.py"
RUN = """
import runpy, sys, unittest
module = runpy.run_path(sys.argv[1])
suite = unittest.TestSuite()
for case in (module["TestKernel"], module["TestIopubWelcome"]):
    case.kernel_name = sys.argv[2]
    suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
unittest.TextTestRunner(verbosity=2).run(suite)
"""
OUTCOME = re.compile(
    r"^(test_\w+) .*? \.\.\. (?:.*\n)*?.*?(ok|FAIL|ERROR|skipped.*)$", re.MULTILINE
)


def outcomes(name: str, path: str) -> dict[str, str]:
    env = {**os.environ, "JUPYTER_PATH": path}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(SUITE), name],
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    found = dict(OUTCOME.findall(done.stderr))
    assert len(found) > 10, done.stderr
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kernel", [IPYKERNEL, XEUS])
def test_as_with_the_bare_kernel(kernel: str, tmp_path: Path) -> None:
    here = str(KERNELS.parent)
    command = [sys.executable, "-m", "minikernel", "protect", kernel, "--prefix", str(tmp_path)]
    env = {**os.environ, "JUPYTER_PATH": here}
    subprocess.run(command, env=env, check=True, capture_output=True)
    path = os.pathsep.join([here, str(tmp_path / "share" / "jupyter")])
    assert outcomes(f"{kernel}-protected", path) == outcomes(kernel, path)
