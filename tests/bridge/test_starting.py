"""A kernel is started on sockets of its own before anything large is imported."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.behind import PATIENCE, wait_until

# As `minikernel protect --run` begins; it says what it knows, and waits.
PROGRAM = """
import json, sys
from minikernel.cli import app
from minikernel.bridge import entry, starting
started = starting.start(entry.parsed(sys.argv[1:]))
import os
print(json.dumps([started.folder, started.connection_file, started.kernel.pid, list(sys.modules)]))
sys.stdout.flush()
sys.stdin.read()
started.kernel.close()
"""
KERNEL = """
import json, os, sys
with open(sys.argv[1]) as file:
    info = json.load(file)
seen = {"argv": sys.argv[1:], "info": info, "env": dict(os.environ), "cwd": os.getcwd()}
with open(sys.argv[2] + ".new", "w") as file:
    json.dump(seen, file)
os.rename(sys.argv[2] + ".new", sys.argv[2])
sys.stdin = None
import time; time.sleep(600)
"""
HEAVY = {"zmq", "argparse", "msgspec", "pathlib", "jupyter_client", "ctypes", "signal", "socket"}
HEAVY |= {"subprocess", "tempfile", "shutil", "logging", "asyncio", "threading", "random"}


def write_spec(folder: Path, seen: Path, **fields: Any) -> None:
    argv = [sys.executable, "-c", KERNEL, "{connection_file}", str(seen)]
    folder.mkdir()
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, **fields}))


def test_it_has_a_folder_a_key_and_a_file_of_its_own(tmp_path: Path) -> None:
    spec, seen = tmp_path / "odd", tmp_path / "seen.json"
    write_spec(spec, seen, env={"GREETING": "${BEFORE} hello"})
    words = [str(spec), "-f", "front.json", "--", "--more"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "BEFORE": "well,", "TMPDIR": "/nowhere"},
    )
    try:
        assert process.stdout is not None
        folder, file, pid, modules = json.loads(process.stdout.readline())
        wait_until(seen.exists)
        found = json.loads(seen.read_text())
        modes = [stat.S_IMODE(Path(path).stat().st_mode) for path in (folder, file)]
    finally:
        process.communicate(timeout=PATIENCE)
    wait_until(lambda: not Path(folder).exists())
    assert not HEAVY & set(modules)
    assert modes == [0o700, 0o600]
    assert found["argv"] == [file, str(seen), "--more"]
    assert found["cwd"] == str(tmp_path)
    assert found["env"]["GREETING"] == "well, hello"
    info = found["info"]
    assert (info["transport"], info["kernel_name"]) == ("ipc", "odd")
    assert info["ip"].startswith(f"{folder}/")
    assert len(os.fsencode(f"ipc://{info['ip']}-5")) < 32  # what xeus has room for, and a zero
    assert len(bytes.fromhex(info["key"])) == 32
    assert info["key"] not in str(found["env"]) + str(found["argv"])
    assert pid > 0


@pytest.mark.parametrize("argv", [["/nowhere", "{connection_file}"], ["x"], None])
def test_what_fails_leaves_no_folder(tmp_path: Path, argv: list[str] | None) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "kernel.json").write_text(json.dumps({"argv": argv}))
    program = (
        "import sys; from minikernel.bridge import starting; starting.SHARED = sys.argv[1];"
        "from minikernel.cli import app; sys.exit(app.main(sys.argv[2:]))"
    )
    words = [tmp_path / "shared", "protect", "--run", tmp_path, "-f", "x"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    wait_until(lambda: not list((tmp_path / "shared").iterdir()))


def test_a_shared_folder_that_is_closed(tmp_path: Path) -> None:
    program = (
        "import sys; from minikernel.bridge import starting; starting.SHARED = '/nowhere';"
        "print(starting._new_folder())"
    )
    folder = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ).stdout.strip()
    assert Path(folder).parent == tmp_path
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
