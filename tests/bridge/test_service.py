"""The kernel runs before the bridge imports what it needs for itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from minikernel.bridge.service import _parent
from minikernel.transport import connection
from tests.bridge.protected import PATIENCE, environment, write_kernelspec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# Says what is imported when the kernel is started, then what happens.
WATCHED = """
import sys
from minikernel.bridge import reaper
start = reaper.start
def watched(*arguments):
    print(sorted({"zmq", "msgspec", "asyncio", "argparse", "dataclasses"} & set(sys.modules)))
    return start(*arguments)
reaper.start = watched
from minikernel.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_kernel_is_started_first(tmp_path: Path) -> None:
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="k"
    )
    connection.write(tmp_path / "front.json", fields)
    argv = [sys.executable, "-c", "raise SystemExit(5)", "{connection_file}"]
    spec = write_kernelspec(tmp_path / "spec", argv)
    arguments = ["protect", "--run", str(spec), "-f", str(tmp_path / "front.json"), "--"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "[]\n"
    assert (done.returncode, done.stderr) == (
        5,
        "minikernel: the kernel has ended with exit code 5\n",
    )


def test_whose_end_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getppid", lambda: 1)
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    assert _parent() == 4711  # it has ended already
    monkeypatch.setenv("JPY_PARENT_PID", "none")
    assert _parent() == 1  # a container's first process
    monkeypatch.setattr("os.getppid", lambda: 12)
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    assert _parent() == 12  # a launcher between
